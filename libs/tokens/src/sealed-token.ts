import type { Clock, IssuedToken } from '#providers';
import { Secret, type Vault } from '#vault';
import type { ServableToken } from './token-cache';
import type { StoredToken } from './token-store';

/** Stands for the token inside a header, so that a token of 900 bytes is stored once. No header can contain it. */
const placeholder = '\0';

interface Payload {
  token: string;
  type: string;
  scope?: string;
  headers: Record<string, string>;
}

/** The token and all that goes out with it, sealed for its client and generation. */
export function sealIssued(vault: Vault, clientId: string, generation: string, issued: IssuedToken): Buffer {
  const token = issued.accessToken.reveal();
  const payload: Payload = {
    token,
    type: issued.tokenType,
    ...(issued.scope !== undefined && { scope: issued.scope }),
    headers: replaceInValues(issued.headers, token, placeholder),
  };
  return vault.sealToken(new Secret(JSON.stringify(payload)), `${clientId}:${generation}`);
}

/** @throws CannotOpen */
export function openStored(vault: Vault, clientId: string, stored: StoredToken, clock: Clock): ServableToken {
  const opened = vault.openToken(stored.sealed, `${clientId}:${stored.generation}`);
  const { token, type, scope, headers } = JSON.parse(opened.reveal()) as Payload;
  return Object.freeze({
    clientId,
    generation: stored.generation,
    accessToken: token,
    tokenType: type,
    ...(scope !== undefined && { scope }),
    headers: Object.freeze(replaceInValues(headers, placeholder, token)),
    serveUntil: clock.now() + stored.runwayMs,
    serveUntilMonotonic: clock.monotonic() + stored.runwayMs,
    servableLifeMs: stored.servableLifeMs,
  });
}

function replaceInValues(headers: Record<string, string>, what: string, by: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.split(what).join(by)]));
}
