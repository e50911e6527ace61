import type { Call } from './call.ts';
import { callResource } from './resource.ts';

/** What a list request says, and where it was asked. */
export interface ListRequest {
  /** `/2010-04-01/Accounts/AC…/Calls.json` */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** A page of calls as Twilio answers it, newest first. Addresses are relative. */
export function listCalls(
  calls: Iterable<Call>,
  accountSid: string,
  request: ListRequest,
): Record<string, unknown> {
  const { query } = request;
  const found = [...calls].toReversed().filter((call) => matches(call, query));
  const page = wholeNumber(query.get('Page'), 0, Infinity);
  // Twilio: 50 unless asked, 1000 at most.
  const size = Math.max(1, wholeNumber(query.get('PageSize'), 50, 1000));
  const start = startOf(found, query.get('PageToken'), page * size);
  const shown = found.slice(start, start + size);
  const hasMore = start + size < found.length;
  return {
    calls: shown.map((call) => callResource(call, accountSid)),
    page,
    page_size: size,
    start: page * size,
    end: page * size + Math.max(0, shown.length - 1),
    uri: pageUri(request, { page, size, token: query.get('PageToken') }),
    first_page_uri: pageUri(request, { page: 0, size, token: null }),
    next_page_uri: hasMore
      ? pageUri(request, { page: page + 1, size, token: `PA${shown.at(-1)?.sid}` })
      : null,
    previous_page_uri:
      page > 0 ? pageUri(request, { page: page - 1, size, token: beforeToken(found, start - size) }) : null,
  };
}

/** A token names the last call of the page before (`PACA…`), so that new calls do not shift the pages. */
function startOf(found: readonly Call[], token: string | null, otherwise: number): number {
  const last = found.findIndex((call) => `PA${call.sid}` === token);
  return last === -1 ? otherwise : last + 1;
}

function beforeToken(found: readonly Call[], start: number): string | null {
  const call = found[start - 1];
  return call ? `PA${call.sid}` : null;
}

interface PageAddress {
  readonly page: number;
  readonly size: number;
  readonly token: string | null;
}

function pageUri({ path, query }: ListRequest, { page, size, token }: PageAddress): string {
  const params = new URLSearchParams(query);
  params.set('PageSize', String(size));
  params.set('Page', String(page));
  if (token === null) params.delete('PageToken');
  else params.set('PageToken', token);
  return `${path}?${params.toString()}`;
}

function wholeNumber(given: string | null, otherwise: number, most: number): number {
  return given !== null && /^\d+$/.test(given) ? Math.min(most, Number(given)) : otherwise;
}

function matches(call: Call, query: URLSearchParams): boolean {
  const { to, from } = call.order;
  const wanted = { To: to, From: from, Status: call.status, ParentCallSid: '' };
  return (
    Object.entries(wanted).every(([name, value]) => [null, '', value].includes(query.get(name))) &&
    isWithin(call.startedAt, 'StartTime', query) &&
    isWithin(call.endedAt, 'EndTime', query)
  );
}

/** `Time=` is a day; `Time>=` and `Time<=` include the moment, a day there is its midnight, all in UTC. */
function isWithin(date: Date | null, name: string, query: URLSearchParams): boolean {
  const day = query.get(name);
  const earliest = query.get(`${name}>`);
  const latest = query.get(`${name}<`);
  if (!day && !earliest && !latest) return true;
  if (!date) return false;
  // The API knows whole seconds only.
  const at = Math.floor(date.getTime() / 1000) * 1000;
  return (
    (!day || date.toISOString().startsWith(day.slice(0, 10))) &&
    (!earliest || at >= Date.parse(earliest)) &&
    (!latest || at <= Date.parse(latest))
  );
}
