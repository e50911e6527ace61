/** Many patients at once, and a campaign for them. */
import { sql, type RawBuilder } from 'kysely';
import { newId } from '../../src/clock.ts';
import * as campaigns from '../../src/domain/campaign.ts';
import type { Campaign, Settings } from '../../src/domain/campaign.ts';
import { carePurposes, channels } from '../../src/domain/consent.ts';
import type { World } from '../../src/world.ts';
import type { Clinic } from './clinic.ts';

/** What a campaign is told when a test says nothing else. */
export const anyCampaign: Settings = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  goal: null,
  priority: 5,
  runAt: '10:00',
  timeZone: 'America/New_York',
  audience: { facts: {}, sourceSystems: [], tags: [] },
  allowlist: [],
  maxAttempts: 3,
  cooldownHours: 20,
  callsPerMinute: 600,
  maxConcurrentCalls: 1_000,
  breakerThreshold: 5,
  serviceId: null,
};

/** A campaign of a clinic, active. */
export async function addCampaign(
  { world, by }: Pick<Clinic, 'world' | 'by'>,
  more: Partial<Settings> = {},
): Promise<Campaign> {
  const id = newId(by().now);
  await world.change(campaigns, id, (row) => campaigns.create(row, { ...anyCampaign, ...more }), by());
  return (await world.change(campaigns, id, campaigns.activate, by())).row;
}

/** What is believed of all of them. */
const common = Object.fromEntries(
  Object.entries({
    birthDate: '1960-01-01',
    language: 'en',
    timeZone: 'America/New_York',
    'address.city': 'New York',
    'address.state': 'NY',
    'address.postalCode': '10001',
    'address.country': 'US',
  }).map(([key, value]) => [
    key,
    [
      {
        value,
        confidence: 1,
        source: 'ehr',
        effectiveAt: '2026-01-01T00:00:00.000Z',
        eventId: '00000000-0000-7000-8000-000000000000',
      },
    ],
  ]),
);

/** What is believed of one of them. */
const told = (value: RawBuilder<unknown>) =>
  sql`jsonb_build_array(jsonb_build_object('value', ${value}, 'confidence', 1, 'source', 'ehr',
    'effectiveAt', '2026-01-01T00:00:00.000Z', 'eventId', id))`;

/** So many patients of New York with the numbers that they gave to their provider: rows as their events would fold into. */
export async function crowd(world: World, workspaceId: string, count: number): Promise<void> {
  const people = sql`select n, '+1212' || (2000000 + n) as phone, md5('patient ' || n)::uuid as id,
    md5('contact ' || n)::uuid as contact_id from generate_series(1, ${count}::int) n`;
  await world.query(sql`
    insert into patient (workspace_id, id, version, fold_version, canonical_id, status, name, birth_date, phone, phone_kind,
      language, time_zone, beliefs, tags, preferred_channel, blocked_channels, windows, search_terms, registered_at)
    select ${workspaceId}, id, 1, 1, 'ehr:Patient:' || n, case n % 50 when 0 then 'TEST' else 'ACTIVE' end,
      'Person ' || n, '1960-01-01', phone, 'OPEN', 'en', 'America/New_York',
      ${JSON.stringify(common)}::jsonb || jsonb_build_object('name', ${told(sql`'Person ' || n`)},
        'phone', ${told(sql`phone`)}, 'address.line', ${told(sql`n || ' Broadway'`)},
        'risk', ${told(sql`case n % 2 when 0 then 'high' else 'low' end`)}),
      case n % 4 when 0 then array['flu', 'senior'] else array['flu'] end, null,
      case n % 100 when 1 then array['VOICE'] else '{}' end, '[]', array['person', n::text], '2026-01-01'
    from (${people}) p`);
  await world.query(sql`
    insert into contact (workspace_id, id, version, fold_version, phone, consents, opted_out_at, revocations, attempts)
    select ${workspaceId}, contact_id, 1, 1, phone, jsonb_build_array(jsonb_build_object('id', contact_id, 'patientId', id,
      'phone', phone, 'channels', ${JSON.stringify(channels)}::jsonb, 'purposes', ${JSON.stringify(carePurposes)}::jsonb,
      'basis', 'PRIOR_EXPRESS', 'grantedAt', '2026-01-01T00:00:00.000Z', 'method', 'number given to the provider',
      'evidence', 'ehr', 'revokedAt', null, 'revocation', null)),
      case n % 100 when 2 then '2026-02-01'::timestamptz end, '[]', '[]'
    from (${people}) p`);
  await world.query(sql`analyze patient`);
  await world.query(sql`analyze contact`);
}
