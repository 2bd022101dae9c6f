import { OAuthError } from './oauth-error';

/** The parameters of a token request that have a value (RFC 6749 3.2: those without one count as left out). */
export type Form = ReadonlyMap<string, string>;

/** RFC 8707 2 and RFC 8693 2.1 let these two be repeated; one token is for one client all the same. */
const mayBeRepeated = ['resource', 'audience'];
/** What must not stand in a URL, since URLs are logged everywhere, and is no use there. */
const ofTheBody =
  /^(grant_type|client_id|client_secret|client_assertion(_type)?|scope|resource|audience|(subject|actor)_token(_type)?|requested_token_type)$/;

/** @throws OAuthError */
export function readForm(body: string, query: string): Form {
  for (const name of new URLSearchParams(query).keys()) {
    if (ofTheBody.test(name)) {
      throw new OAuthError('invalid_request', `The parameter ${name} belongs into the body, never into the URL.`);
    }
  }
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (form.has(name)) throw repeated(name);
    form.set(name, value);
  }
  for (const [name, value] of form) if (value === '') form.delete(name);
  return form;
}

function repeated(name: string): OAuthError {
  if (!mayBeRepeated.includes(name)) {
    const which = ofTheBody.test(name) ? `The parameter ${name}` : 'A parameter';
    return new OAuthError('invalid_request', `${which} is there more than once.`);
  }
  return new OAuthError('invalid_target', `A token is for one client: send ${name} once.`);
}
