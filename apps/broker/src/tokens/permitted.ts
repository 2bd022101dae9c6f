import { unauthenticated } from '../auth/access.guard';
import type { Caller, Principal } from '../auth/authenticator';
import { Problem } from '../problem';

/** A service, and the client whose token it may have. */
export interface Permitted {
  caller: Caller;
  /** Of the client. */
  name: string;
  clientId: string;
  service: Extract<Principal, { kind: 'service' }>;
}

/**
 * The client that the caller may fetch the token of. Unknown and not granted are one answer: nobody learns which clients
 * there are.
 * @throws Problem
 */
export function permitted(caller: Caller | null, name: string): Permitted {
  if (!caller) throw unauthenticated();
  const { principal: service, client } = caller;
  if (service.kind !== 'service') {
    throw new Problem('forbidden', 'Tokens are for services; an admin key does not open this route.');
  }
  if (!client) throw new Problem('not_found', `There is no client "${name}" granted to this service.`);
  if (!client.enabled) throw new Problem('client_disabled', `The client "${name}" is disabled.`);
  return { caller, name, clientId: client.clientId, service };
}
