import type { Attempts, ClientState } from './store/token-store';

/** What an operator needs to know of a client, in one word. */
export type Condition = 'fresh' | 'renewing' | 'failing' | 'credentials_refused' | 'disabled';

export const conditions: readonly Condition[] = ['fresh', 'renewing', 'failing', 'credentials_refused', 'disabled'];

/** `renewing`: there is no token to serve yet, and no attempt has failed. One refusal alone does not condemn. */
export function conditionOf(state: ClientState): Exclude<Condition, 'disabled'> {
  if (state.failures > 0) return conditionAfterFailure(state);
  return (state.token?.runwayMs ?? 0) > 0 ? 'fresh' : 'renewing';
}

export function conditionAfterFailure({ refusals }: Attempts): 'failing' | 'credentials_refused' {
  return refusals >= 2 ? 'credentials_refused' : 'failing';
}
