import type { Clock, TokenRequester } from '#providers';
import type { Vault } from '#vault';
import type { Crowd } from './crowd';
import type { TokenEvents } from './events';
import type { ProviderGate } from './asking/provider-gate';
import type { RenewableClients } from './renewable-client';
import type { Random } from './renewal-policy';
import type { TokenStore } from './store/token-store';

export type RequestToken = TokenRequester['requestToken'];

/** What a renewal is made with. */
export interface RenewalParts {
  store: TokenStore;
  clients: RenewableClients;
  vault: Vault;
  requestToken: RequestToken;
  gate: ProviderGate;
  crowd: Crowd;
  /** Whether this replica lacks a key that others have. */
  lacksKeys: () => boolean;
  events: Required<TokenEvents>;
  clock: Clock;
  random: Random;
}
