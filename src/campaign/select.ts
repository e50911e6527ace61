import { sql, type RawBuilder } from 'kysely';
import type { Campaign } from '../domain/campaign.ts';
import type { CampaignRun, Exclusion } from '../domain/campaign-run.ts';
import { bases, suffices, type ContactBlock } from '../domain/consent.ts';
import { whereaboutsKeys } from '../domain/patient.ts';
import type { Workspace } from '../domain/workspace.ts';
import type { World } from '../world.ts';

/** A selection: for which campaign, on which date of its calendar. */
export interface Selection {
  campaign: Campaign;
  workspace: Pick<Workspace, 'sandbox' | 'allowlist'>;
  date: string;
  now: Date;
  /** Only so many patients after this one, in the order of their ids, with where they are; left out: all. */
  page?: { after: string; limit: number };
}

/** Everyone who was looked at, counted: those who are members, and those left out by reason. */
export interface Selected {
  eligible: number;
  exclusions: Exclusion[];
}

type Reader = Pick<World, 'query'>;

/**
 * Who is looked at, and why they are left out, in the gate's own order of reasons; null: a member. What time lifts (hours,
 * caps) leaves nobody out: the gate decides that at the dial.
 */
export const candidates = ({ campaign, workspace, date, now, page }: Selection): RawBuilder<unknown> => {
  const { id, workspaceId, purpose, audience, allowlist, maxAttempts, cooldownHours } = campaign;
  const cooledAt = new Date(now.getTime() - cooldownHours * 3_600_000);
  return sql`
    select p.id as patient_id, case
      when p.status <> 'ACTIVE' then 'PATIENT_' || p.status
      when p.phone is null then 'PHONE_MISSING'
      when p.phone_kind = 'INVALID' then 'PHONE_INVALID'
      when p.phone_kind = 'BARRED' or (${workspace.sandbox} and p.phone <> all(${workspace.allowlist}::text[]))
        or (cardinality(${allowlist}::text[]) > 0 and p.phone <> all(${allowlist}::text[])) then 'NOT_ALLOWLISTED'
      when consent.fitting > 0 and consent.standing = 0 then 'CONSENT_REVOKED'
      when coalesce(consent.enough, 0) = 0 then 'NO_LEGAL_BASIS'
      when c.opted_out_at is not null then 'DO_NOT_CONTACT'
      when 'VOICE' = any(p.blocked_channels) then 'CHANNEL_BLOCKED'
      when today.patient_id is not null or past.is_open then 'ACTIVE_CONTACT'
      when past.is_reached or past.attempts >= ${maxAttempts}::int then 'ATTEMPTS_EXHAUSTED'
      when past.last_at > ${cooledAt} then 'COOLDOWN'
      end as reason ${page ? whereabouts : sql``}
    from patient p
    left join contact c on c.workspace_id = p.workspace_id and c.phone = p.phone
    left join lateral (${consents(purpose)}) consent on true
    left join (
      select patient_id, sum(attempts)::int as attempts, max(last_attempt_at) as last_at,
        bool_or(status = 'COMPLETED') as is_reached,
        bool_or(status in ('DISPATCHED', 'RUNNING') or (status in ('SCHEDULED', 'SNOOZED') and valid_until > ${now}
          and queue_id not in (${cancelledRuns(campaign)}))) as is_open
      from outbound_task where workspace_id = ${workspaceId} and campaign_id = ${id} group by patient_id
    ) past on past.patient_id = p.id
    left join campaign_member today on today.workspace_id = p.workspace_id and today.campaign_id = ${id}
      and today.date = ${date}::date and today.patient_id = p.id
      and today.reason is null and not today.is_released
    where p.workspace_id = ${workspaceId} ${audienceSql(audience)}
      ${page ? sql`and p.id > ${page.after} order by p.id limit ${page.limit}` : sql``}`;
};

/** Runs whose waiting tasks are never called, though it takes a moment to end them. */
const cancelledRuns = ({ id, workspaceId }: Campaign) => sql`select r.id from campaign_run r
  where r.workspace_id = ${workspaceId} and r.campaign_id = ${id} and r.status = 'CANCELLED'`;

/** Who a page is of, and what tells when they may be called. */
const whereabouts = sql`, p.id, p.phone, p.windows, jsonb_build_object(${sql.join(
  whereaboutsKeys.map((key) => sql`${sql.lit(key)}, coalesce(p.beliefs->${sql.lit(key)}, '[]')`),
)}) as beliefs`;

/** The ledger's entries for this purpose: those that fit, that still stand, and that are enough (C-13, C-17, C-22). */
const consents = (purpose: Campaign['purpose']) => sql`
  select count(*) as fitting, count(*) filter (where stands) as standing,
    count(*) filter (where stands and ${enough(purpose)}) as enough
  from (
    select entry->>'basis' as basis, not exists (
      select from jsonb_array_elements(c.revocations) r
      where r->>'patientId' = p.id::text and r->'channels' ? 'VOICE'
        and (r->>'at')::timestamptz >= (entry->>'grantedAt')::timestamptz) as stands
    from jsonb_array_elements(c.consents) entry
    where entry->>'patientId' = p.id::text and entry->'channels' ? 'VOICE' and entry->'purposes' ? ${purpose}) ledger`;

function enough(purpose: Campaign['purpose']): RawBuilder<unknown> {
  const sufficient = bases.filter((basis) => suffices(basis, purpose));
  return sql`basis = any(${sufficient}::text[])`;
}

function audienceSql({ facts, sourceSystems, tags }: Campaign['audience']): RawBuilder<unknown> {
  const believed = Object.entries(facts).map(
    ([key, value]) => sql`and p.beliefs->${key}->0->>'value' = ${value}`,
  );
  const spoken = sql`and jsonb_path_exists(p.beliefs, '$.*[*] ? (@.source == $systems[*])',
    jsonb_build_object('systems', ${JSON.stringify(sourceSystems)}::jsonb))`;
  return sql.join(
    [
      ...(tags.length > 0 ? [sql`and p.tags @> ${tags}::text[]`] : []),
      ...believed,
      ...(sourceSystems.length > 0 ? [spoken] : []),
    ],
    sql` `,
  );
}

/** Stores who was looked at, members and others, in one statement. */
export async function select(tx: Reader, selection: Selection & { runId: string }): Promise<Selected> {
  const { campaign, date, runId } = selection;
  return selectedOf(
    await tx.query<Counted>(sql`
    with stored as (
      insert into campaign_member (workspace_id, run_id, patient_id, campaign_id, date, phone, reason, task_id, is_released)
      select ${campaign.workspaceId}, ${runId}, k.patient_id, ${campaign.id}, ${date}::date, null, k.reason, null, false
      from (${candidates(selection)}) k returning reason)
    select reason, count(*)::int as count from stored group by 1`),
  );
}

/** Makes a list of numbers the members: one person for each number. Whoever is a member today already is left out. */
export async function selectListed(
  tx: Reader,
  { campaign, date, runId, phones }: { campaign: Campaign; date: string; runId: string; phones: string[] },
): Promise<Selected> {
  return selectedOf(
    await tx.query<Counted>(sql`
    with stored as (
      insert into campaign_member (workspace_id, run_id, patient_id, campaign_id, date, phone, reason, task_id, is_released)
      select ${campaign.workspaceId}, ${runId}, k.id, ${campaign.id}, ${date}::date, k.phone,
        case when exists (select from campaign_member today where today.workspace_id = ${campaign.workspaceId}
          and today.campaign_id = ${campaign.id} and today.date = ${date}::date and today.patient_id = k.id
          and today.reason is null and not today.is_released) then 'ACTIVE_CONTACT' end, null, false
      from (select distinct on (p.phone) p.id, p.phone from patient p
        where p.workspace_id = ${campaign.workspaceId} and p.phone = any(${phones})
        order by p.phone, p.status = 'ACTIVE' desc, p.id) k returning reason)
    select reason, count(*)::int as count from stored group by 1`),
  );
}

/**
 * Gives up the members of a run that is cancelled and who were never dialled. The run must be locked: whoever of them
 * waits is not dialled any more from then on, and who is being dialled shows it.
 */
export const release = (tx: Reader, { workspaceId, id }: CampaignRun): Promise<unknown> =>
  tx.query(sql`
    update campaign_member m set is_released = true
    where m.workspace_id = ${workspaceId} and m.run_id = ${id} and m.reason is null and not exists (
      select from outbound_task t where t.workspace_id = m.workspace_id and t.id = m.task_id
        and (t.attempts > 0 or t.status not in ('SCHEDULED', 'SNOOZED', 'CANCELLED')))`);

interface Counted {
  reason: ContactBlock | null;
  count: number;
}

/** Those who are members, and those left out by reason, most of them first. */
export function selectedOf(rows: Counted[]): Selected {
  const exclusions = rows
    .filter((row): row is Exclusion => row.reason !== null)
    .toSorted((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
  return { eligible: rows.find(({ reason }) => reason === null)?.count ?? 0, exclusions };
}
