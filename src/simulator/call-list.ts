import type { Call } from './call.ts';
import { isWithin, pageOf, type ListRequest } from './list.ts';
import { callResource } from './resource.ts';

/** A page of calls as Twilio answers it, newest first. */
export function listCalls(
  calls: Iterable<Call>,
  accountSid: string,
  request: ListRequest,
): Record<string, unknown> {
  const found = [...calls].toReversed().filter((call) => matches(call, request.query));
  return pageOf(found, request, { name: 'calls', show: (call) => callResource(call, accountSid) });
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
