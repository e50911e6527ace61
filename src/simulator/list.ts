/** What a list request says, and where it was asked. */
export interface ListRequest {
  /** `/2010-04-01/Accounts/AC…/Calls.json` */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Something that has an address in the API. */
interface Resource {
  readonly sid: string;
}

/** A page of what was found, as Twilio answers it, under the resource's name. Addresses are relative. */
export function pageOf<T extends Resource>(
  found: readonly T[],
  request: ListRequest,
  { name, show }: { readonly name: string; readonly show: (one: T) => unknown },
): Record<string, unknown> {
  const { query } = request;
  const page = wholeNumber(query.get('Page'), 0, Infinity);
  // Twilio: 50 unless asked, 1000 at most.
  const size = Math.max(1, wholeNumber(query.get('PageSize'), 50, 1000));
  const start = startOf(found, query.get('PageToken'), page * size);
  const shown = found.slice(start, start + size);
  const hasMore = start + size < found.length;
  return {
    [name]: shown.map((one) => show(one)),
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

/** A token names the last of the page before (`PACA…`), so that new ones do not shift the pages. */
function startOf(found: readonly Resource[], token: string | null, otherwise: number): number {
  const last = found.findIndex(({ sid }) => `PA${sid}` === token);
  return last === -1 ? otherwise : last + 1;
}

function beforeToken(found: readonly Resource[], start: number): string | null {
  const last = found[start - 1];
  return last ? `PA${last.sid}` : null;
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

/** Whether a date is what `Time=`, `Time>=` and `Time<=` ask for: the first is a day; `Time>=` and `Time<=` include the moment, a day there is its midnight, all in UTC. */
export function isWithin(date: Date | null, name: string, query: URLSearchParams): boolean {
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
