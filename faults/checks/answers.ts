import { type Answer, overlaps, type Record, type TokenFate } from '../record';
import type { Violation } from './violation';

/** What a provider and we may count differently at the edges: rounding, and the time between sending and issuing. */
const edgeMs = 50;

/** I1: nothing is served past serveUntil, and nobody receives a dead token. */
export function nothingDeadIsServed({ answers, tokens, clients }: Record): Violation[] {
  const untruthful = new Set(clients.filter((client) => client.untruthful).map(({ name }) => name));
  return answers.flatMap(({ token, sentAt, receivedAt, client, broker }): Violation[] => {
    if (token === undefined || untruthful.has(client)) return [];
    const { issuedAt, expiresAt } = tokens[token]!;
    const who = `broker ${broker} served ${client}`;
    const lifeMs = expiresAt - issuedAt;
    // Decided between the two times, so the earlier one is compared where the other might be a slow reader's.
    const serveUntil = expiresAt - Math.min(30_000, lifeMs * 0.1) + edgeMs;
    if (receivedAt >= expiresAt) {
      return [
        { invariant: 'I1', what: `${who} a token that was dead for ${receivedAt - expiresAt} ms`, at: receivedAt },
      ];
    }
    if (sentAt <= serveUntil) return [];
    return [{ invariant: 'I1', what: `${who} a token ${sentAt - serveUntil} ms past its serve limit`, at: receivedAt }];
  });
}

/** I5: what one broker serves never goes back to an earlier generation, nor to an earlier end. */
export function generationsNeverRegress({ answers, tokens, faults }: Record): Violation[] {
  return eachPair(answers, (served) => {
    const violations: Violation[] = [];
    let latest: Answer | undefined;
    for (const answer of served) {
      // Those that were asked for at the same time may overtake each other.
      if (latest && answer.sentAt >= latest.receivedAt && answer.generation! < latest.generation!) {
        const [from, to] = [latest.receivedAt, answer.receivedAt];
        const allowed = faults.some((fault) => fault.breaks.includes('order') && overlaps(fault, from, to));
        const ends = [tokens[latest.token!]!, tokens[answer.token!]!].map(({ expiresAt }) => expiresAt);
        const what = `broker ${answer.broker} went back from generation ${latest.generation} of ${answer.client} to ${answer.generation} (ends ${ends.join(' and ')})`;
        if (!allowed) violations.push({ invariant: 'I5', what, at: answer.receivedAt });
      }
      if (!latest || answer.generation! >= latest.generation!) latest = answer;
    }
    return violations;
  });
}

/** I6: once a token of the new secret is stored, none of the old one is; none is got with the old one and stored later. */
export function rotationsHold({ answers, tokens, clients }: Record): Violation[] {
  return clients.flatMap(({ name, rotations }) => {
    const served = answers.filter((answer) => answer.client === name && answer.token !== undefined);
    return rotations.flatMap(({ answered }, index): Violation[] => {
      if (answered === undefined) return [];
      const rotation = index + 1;
      const isNew = ({ token }: Answer): boolean => tokens[token!]!.rotations >= rotation;
      const firstNew = Math.min(...served.filter(isNew).map(({ generation }) => generation!));
      const old = served.filter((answer) => !isNew(answer));
      const stale = old.find(({ token, generation }) => tokens[token!]!.issuedAt > answered || generation! > firstNew);
      if (!stale) return [];
      const what = `a token of ${name} got with the secret before rotation ${rotation} was stored after it`;
      return [{ invariant: 'I6', what, at: stale.receivedAt }];
    });
  });
}

/** What the database said of a key and a client holds for so long: enabled again, it may still be told to be disabled. */
const knownForMs = 1_500;

interface Promised {
  until: number;
  by: Answer;
}

/**
 * I9: a token that is still good is served whatever else is broken. What a broker has told to live on is in that broker,
 * and for the time that it told every other answer is wrong, unless a fault of that broker itself explains it.
 */
export function goodTokensAreServed(record: Record): Violation[] {
  const { answers, faults, clients, brokers, stalls } = record;
  const inactive = new Map(clients.map((client) => [client.name, client.inactive]));
  return eachPair(
    answers,
    (ofPair) => {
      const violations: Violation[] = [];
      let promised: Promised | undefined;
      for (const answer of ofPair) {
        const { broker, client, status, sentAt, receivedAt } = answer;
        if (status === 200) {
          const until = sentAt + answer.expiresInSeconds! * 1_000;
          if (!promised || until >= promised.until || answer.token !== promised.by.token)
            promised = { until, by: answer };
          continue;
        }
        if (!promised || receivedAt >= promised.until || promised.by.receivedAt > sentAt) continue;
        const since = promised.by.sentAt;
        const ended = brokers[broker]!.endedAt;
        if (ended !== undefined && receivedAt >= ended) continue;
        if (inactive.get(client)?.some((span) => overlaps(span, sentAt - knownForMs, receivedAt))) continue;
        if (faults.some((fault) => excuses(fault, answer, since))) continue;
        if (status === 0 && stalls.some((span) => overlaps(span, sentAt, receivedAt))) continue;
        const why = [status, answer.code, answer.reason].filter(Boolean).join(' ');
        const left = promised.until - receivedAt;
        const what = `broker ${broker} answered ${why} for ${client}, whose token was good for ${left} ms more`;
        violations.push({ invariant: 'I9', what, at: receivedAt });
      }
      return violations;
    },
    () => true,
  );
}

function excuses(fault: Record['faults'][number], { broker, sentAt, receivedAt }: Answer, since: number): boolean {
  if (!fault.brokers.includes(broker)) return false;
  return overlaps(fault, fault.breaks.includes('promises') ? since : sentAt, receivedAt);
}

/** For each pair of broker and client: its answers, in the order in which they came. */
function eachPair(
  answers: Answer[],
  check: (ofPair: Answer[]) => Violation[],
  which: (answer: Answer) => boolean = ({ token }) => token !== undefined,
): Violation[] {
  const pairs = new Map<string, Answer[]>();
  for (const answer of answers.filter(which)) {
    const pair = `${answer.broker} ${answer.client}`;
    const known = pairs.get(pair);
    if (known) known.push(answer);
    else pairs.set(pair, [answer]);
  }
  return [...pairs.values()].flatMap((ofPair) => check(ofPair.toSorted((a, b) => a.receivedAt - b.receivedAt)));
}

/** Which tokens were served at all, for rows that look at single ones. */
export function tokensServed({ answers, tokens }: Record, client: string): TokenFate[] {
  const indexes = answers.filter((answer) => answer.client === client && answer.token !== undefined);
  return [...new Set(indexes.map(({ token }) => token!))].map((token) => tokens[token]!);
}
