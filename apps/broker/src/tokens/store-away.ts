import { TokenUnavailable } from '#tokens';

/** To what only the token store could have said. */
export function storeAway(cause: unknown): never {
  if (cause instanceof TokenUnavailable) throw cause;
  throw new TokenUnavailable('store_unavailable', 'the token store does not answer', 1, undefined, { cause });
}
