import { randomUUID } from 'node:crypto';

/** The one account that the simulated voicemail vendor has. */
export interface VendorAccount {
  readonly teamId: string;
  /** `x-key` and `x-secret`; undefined: any. */
  readonly key: string | undefined;
  readonly secret: string | undefined;
  /** Where signed webhooks go; undefined: nowhere. */
  webhookUrl: string | undefined;
  /** What webhooks are signed with. */
  readonly webhookSecret: string;
}

/** An account with these settings. */
export function openVendorAccount(settings: Omit<VendorAccount, 'teamId'>): VendorAccount {
  return { teamId: randomUUID(), ...settings };
}
