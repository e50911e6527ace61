import { createHmac, timingSafeEqual } from 'node:crypto';

/** The call that a pass is good for. */
export interface Passing {
  workspaceId: string;
  callId: string;
}

/** How many bytes of the seal a pass carries: nobody guesses 192 bits. */
const sealBytes = 24;

/**
 * Passes by which whoever speaks is admitted to one call, and to no other. They are reckoned, not stored: any replica
 * knows them, and whoever reads the database learns none.
 */
export function openPasses(key: Buffer) {
  const sealOf = (ids: Buffer) => createHmac('sha256', key).update(ids).digest().subarray(0, sealBytes);
  return {
    /** The pass of a call, fit for a URL's path. */
    of({ workspaceId, callId }: Passing): string {
      const ids = Buffer.from((workspaceId + callId).replaceAll('-', ''), 'hex');
      return Buffer.concat([ids, sealOf(ids)]).toString('base64url');
    },
    /** The call that a pass is good for; null for what is no pass. */
    read(pass: string): Passing | null {
      const bytes = Buffer.from(pass, 'base64url');
      if (bytes.length !== 32 + sealBytes) return null;
      const ids = bytes.subarray(0, 32);
      if (!timingSafeEqual(sealOf(ids), bytes.subarray(32))) return null;
      return { workspaceId: uuidOf(ids.subarray(0, 16)), callId: uuidOf(ids.subarray(16)) };
    },
  };
}

/** Makes and reads passes. */
export type Passes = ReturnType<typeof openPasses>;

const uuidOf = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
