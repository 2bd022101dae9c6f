import type { ServableToken } from '#tokens';
import { isName } from '../admin/name';
import type { Authenticator, Caller, Credentials } from '../auth/authenticator';
import { permitted } from '../tokens/permitted';
import type { TokenAnswers } from '../tokens/token-answer';
import type { OnlyClient } from './only-client';

/** What the facades lean on. */
export interface FacadeParts {
  authenticator: Pick<Authenticator, 'identify'>;
  answers: TokenAnswers;
  onlyClient: Pick<OnlyClient, 'of'>;
  /** Where the broker is for others, without a slash at the end; absent: where they say that they found it. */
  publicUrl?: string;
}

export type ServiceCaller = Caller & { principal: { kind: 'service' } };

/**
 * The service that presents a key, a certificate or a JWT, with its grant of the client named. `undefined`: nobody, no
 * service, or another one than was claimed: whoever tries learns no more than that.
 */
export async function identifyService(
  { authenticator }: Pick<FacadeParts, 'authenticator'>,
  credentials: Credentials,
  claimed: string | undefined,
  clientName = '',
): Promise<ServiceCaller | undefined> {
  // What cannot be a name is looked for under no name: the key is checked all the same, and nothing found.
  const caller = await authenticator.identify(credentials, isName(clientName) ? clientName : '');
  if (!isService(caller) || (claimed !== undefined && caller.principal.name !== claimed)) return undefined;
  return caller;
}

/**
 * The token, for a caller who may have it.
 * @param check throws where the token is not to go out after all: then it was not read
 * @throws Problem `not_found` or `client_disabled`, TokenUnavailable
 */
export async function readToken(
  { answers }: FacadeParts,
  caller: Caller,
  client: string,
  check?: (token: ServableToken) => void,
): Promise<ServableToken> {
  const admitted = { ...permitted(caller, client), minTtlSeconds: 0 };
  const warm = answers.peek(admitted);
  const token = warm ?? (await answers.get(admitted));
  check?.(token);
  answers.served(admitted, token, warm ? 'hit' : 'miss');
  return token;
}

function isService(caller: Caller | null): caller is ServiceCaller {
  return caller?.principal.kind === 'service';
}
