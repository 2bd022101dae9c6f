import { isName } from '../admin/name';
import type { Form } from './form';
import { OAuthError } from './oauth-error';

/** The client that a token request names. */
export interface Target {
  client: string;
  /** What it is called in a refusal. */
  refusedAs: 'invalid_target' | 'invalid_scope';
}

const maxChars = 2_000;
const urn = 'urn:token-broker:client:';
/** What to send, for those who are told that they have to. */
export const howToName = `resource=${urn}{name} or scope=client:{name}`;

/**
 * Whose token is wanted: by `resource` (RFC 8707), `audience` (RFC 8693) or `scope`, which must not contradict each other.
 * @throws OAuthError
 */
export function targetOf(form: Form, { audience }: { audience: boolean }): Target | undefined {
  const targets = [
    fromResource(form.get('resource'), 'resource'),
    audience ? fromResource(form.get('audience'), 'audience') : undefined,
    fromScope(form.get('scope')),
  ].filter((target) => target !== undefined);
  if (new Set(targets.map(({ client }) => client)).size > 1) {
    throw new OAuthError('invalid_request', 'The parameters name more than one client: a token is for one.');
  }
  return targets[0];
}

/** `urn:token-broker:client:{name}`, the URL of the client at any address of a broker, or the bare name. */
function fromResource(value: string | undefined, parameter: string): Target | undefined {
  if (value === undefined) return undefined;
  const client = value.startsWith(urn) ? value.slice(urn.length) : (nameInUrl(value.slice(0, maxChars)) ?? value);
  if (value.length <= maxChars && isName(client)) return { client, refusedAs: 'invalid_target' };
  throw new OAuthError('invalid_target', `${parameter} names no client. Send ${urn}{name}.`);
}

function nameInUrl(value: string): string | undefined {
  return /^https?:\/\/[^/?#@\\\s]+(?:\/[^?#\\\s]*)?\/v1\/clients\/([^/?#\\\s]+)$/i.exec(value)?.[1];
}

function fromScope(value: string | undefined): Target | undefined {
  if (value === undefined) return undefined;
  const client = value.startsWith('client:') ? value.slice('client:'.length) : '';
  if (isName(client)) return { client, refusedAs: 'invalid_scope' };
  throw new OAuthError('invalid_scope', 'The only scope there is is client:{name}, once: it names the client.');
}
