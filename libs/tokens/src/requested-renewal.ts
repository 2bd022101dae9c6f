import type { TokenReader } from './token-reader';
import type { ClaimAnswer, TokenStore } from './store/token-store';

/** What became of a renewal that somebody asked for. */
export interface RequestedRenewal {
  /** `kept`: the provider gave the token that is served already; `held`: somebody else is still at it. */
  outcome: 'renewed' | 'kept' | 'failed' | 'held' | 'not_yet';
  /** When the provider may be asked again, where it may not be now. */
  retryAfterSeconds?: number;
}

interface RequestParts {
  store: TokenStore;
  reader: TokenReader;
  /** Carries out what was claimed, or waits for who holds it. */
  follow(answer: ClaimAnswer, heard: Promise<void>): Promise<unknown>;
  renews(): boolean;
}

/** An admin wants a new token now, whatever is planned; the provider's limits are kept. @throws when the store fails */
export async function renewRequested(
  { store, reader, follow, renews }: RequestParts,
  clientId: string,
): Promise<RequestedRenewal> {
  const { token } = await store.read(clientId);
  let answer = await store.claimOne(clientId, token?.generation, 0);
  if (answer.outcome === 'resting') {
    // Failures are forgotten, and with them the time until the next attempt.
    await store.change(clientId, 0);
    answer = await store.claimOne(clientId, token?.generation);
  }
  if (answer.outcome === 'resting') {
    return { outcome: 'not_yet', retryAfterSeconds: Math.ceil(answer.waitMs / 1_000) };
  }
  const news = reader.nextNews(clientId);
  await follow(answer, news.heard).finally(news.forget);
  const after = await store.read(clientId);
  if (after.token && after.token.generation !== token?.generation) return { outcome: 'renewed' };
  if (after.failures > 0) return { outcome: 'failed' };
  if (after.restMs) return { outcome: 'not_yet', retryAfterSeconds: Math.ceil(after.restMs / 1_000) };
  return { outcome: answer.outcome === 'claimed' && renews() ? 'kept' : 'held' };
}
