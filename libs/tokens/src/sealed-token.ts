import type { Clock, IssuedToken } from '#providers';
import { Secret, type Vault } from '#vault';
import type { ServableToken } from './token-cache';
import type { Claim, StoredToken } from './store/token-store';

/** Stands for the token inside a header and its like, so that a token of 900 bytes is stored once. None of them can contain it. */
const placeholder = '\0';

interface Payload extends Partial<Record<(typeof carried)[number], Record<string, string>>> {
  token: string;
  type: string;
  scope?: string;
  headers: Record<string, string>;
  /** `plannedEarlyMs` and `singleLive` of a `ServableToken`. */
  early?: number;
  single?: true;
}

/** What goes out beside the headers, where there is any. */
const carried = ['query', 'cookies', 'outputs'] as const;

/** The token and all that goes out with it, sealed for its client and generation. */
export function sealIssued(
  vault: Vault,
  { clientId, generation }: Claim,
  issued: IssuedToken,
  { plannedEarlyMs: early, singleLive: single }: Pick<ServableToken, 'plannedEarlyMs' | 'singleLive'> = {},
): Buffer {
  const token = issued.accessToken.reveal();
  const payload: Payload = {
    token,
    type: issued.tokenType,
    ...(issued.scope !== undefined && { scope: issued.scope }),
    headers: replaceInValues(issued.headers, token, placeholder),
    ...carriedWith(issued, token, placeholder),
    ...(early !== undefined && { early: Math.round(early) }),
    ...(single && { single }),
  };
  return vault.sealToken(new Secret(JSON.stringify(payload)), `${clientId}:${generation}`);
}

/** @throws CannotOpen */
export function openStored(vault: Vault, clientId: string, stored: StoredToken, clock: Clock): ServableToken {
  const opened = vault.openToken(stored.sealed, `${clientId}:${stored.generation}`);
  const payload = JSON.parse(opened.reveal()) as Payload;
  const { token, type, scope, headers, early, single } = payload;
  return Object.freeze({
    clientId,
    generation: stored.generation,
    secretVersion: stored.secretVersion,
    accessToken: token,
    tokenType: type,
    ...(scope !== undefined && { scope }),
    headers: Object.freeze(replaceInValues(headers, placeholder, token)),
    ...carriedWith(payload, placeholder, token),
    serveUntil: clock.now() + stored.runwayMs,
    serveUntilMonotonic: clock.monotonic() + stored.runwayMs,
    servableLifeMs: stored.servableLifeMs,
    ...(early !== undefined && { plannedEarlyMs: early }),
    ...(single && { singleLive: single }),
  });
}

function carriedWith(from: Pick<Payload, (typeof carried)[number]>, what: string, by: string) {
  const given = carried.flatMap((part) =>
    from[part] ? [[part, Object.freeze(replaceInValues(from[part], what, by))]] : [],
  );
  return Object.fromEntries(given) as Pick<Payload, (typeof carried)[number]>;
}

function replaceInValues(headers: Record<string, string>, what: string, by: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.split(what).join(by)]));
}
