import { overlaps, type Record } from '../record';
import { slackMs, type Violation } from './violation';

const reconcileMs = 60_000;

/** I7: every active client is back in the queue within 60 s of any loss, the time not counted in which nobody could put it there. */
export function nobodyIsForgotten({ absences, clients, faults, brokers, endedAt }: Record): Violation[] {
  return absences.flatMap(({ client, from, to = endedAt }): Violation[] => {
    const { inactive = [] } = clients.find(({ name }) => name === client) ?? {};
    if (inactive.some((span) => overlaps(span, from, to))) return [];
    const blocked = faults.filter((fault) => fault.hindersQueue && overlaps(fault, from, to));
    const lostMs = blocked.reduce((sum, fault) => sum + (Math.min(fault.to ?? to, to) - Math.max(fault.from, from)), 0);
    const allowed = reconcileMs + lostMs + slackMs + withoutBrokers(brokers, from, to);
    if (to - from <= allowed) return [];
    const what = `${client} was missing from the queue for ${to - from} ms, where ${Math.round(allowed)} ms are explained`;
    return [{ invariant: 'I7', what, at: to }];
  });
}

/** How long no broker was there at all; who starts reconciles at once. */
function withoutBrokers(brokers: Record['brokers'], from: number, to: number): number {
  const lives = brokers
    .map(({ startedAt, endedAt = Infinity }) => [Math.max(startedAt, from), Math.min(endedAt, to)] as const)
    .filter(([begin, end]) => begin < end)
    .toSorted((a, b) => a[0] - b[0]);
  let [reached, missing] = [from, 0];
  for (const [begin, end] of lives) {
    missing += Math.max(0, begin - reached);
    reached = Math.max(reached, end);
  }
  return missing + Math.max(0, to - reached);
}
