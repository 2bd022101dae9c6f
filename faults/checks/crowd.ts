import { type ClientLife, gotToken, type Record, touchesClient } from '../record';

/**
 * As the broker has it: so many clients that got an unplanned token in such a time are a crowd, and spread over their next
 * life; and so many renewals at once are taken for one before it is known what they were.
 */
const members = 10;
const withinMs = 10_000;
const atOnceMs = 1_000;
/** A renewal this late was not made when it was planned. */
const lateMs = 1_000;
const latestShare = 0.7;

/**
 * When tokens came that nobody had planned: the first of a client, or since Redis lost what it knew of it, one after failures,
 * one that was late.
 */
function unplannedTokens({ name, calls, lifeSeconds }: ClientLife, faults: Record['faults']): number[] {
  const losses = faults.filter((fault) => fault.breaks.includes('quotas') && touchesClient(fault, name));
  const times: number[] = [];
  let planned = false;
  let before = -Infinity;
  for (const { at, outcome } of calls) {
    if (!gotToken(outcome)) planned = false;
    else {
      const lost = losses.some(({ from }) => before < from && from <= at);
      if (!planned || lost || at - before > latestShare * lifeSeconds * 1_000 + lateMs) times.push(at);
      [planned, before] = [true, at];
    }
  }
  return times;
}

/** Whether the token that a client got at this time was one of a crowd's: then its next renewal may come at any time of its life. */
export function crowdsOf({
  clients,
  faults,
}: Pick<Record, 'clients' | 'faults'>): (name: string, at: number) => boolean {
  const unplanned = new Map(clients.map((client) => [client.name, unplannedTokens(client, faults)]));
  const all = [...unplanned.values()].flat().toSorted((a, b) => a - b);
  const any = clients.flatMap(({ calls }) => calls.map((call) => call.at));
  const near = (times: number[], at: number, ms: number) => times.filter((other) => Math.abs(other - at) <= ms).length;
  return (name, at) =>
    unplanned.get(name)?.includes(at) === true &&
    (near(all, at, withinMs) >= members || near(any, at, atOnceMs) >= members);
}
