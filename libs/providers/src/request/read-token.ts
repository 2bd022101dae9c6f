import { Secret } from '#vault';
import type { Failures } from '../failures/failure';
import type { Scrubber } from '../failures/scrubber';
import type { CompiledDefinition } from '../language/compiled-definition';
import type { WireAnswer } from '../network/network';
import { asText, TemplateFault } from '../templates/text';
import type { IssuedToken } from './issued-token';
import { lifeSeconds } from './life';
import type { RequestScope } from './request-scope';
import { present, writeHeaders } from './write-request';

/** RFC 6749 A.12 without the space, which would end the value in most headers. */
const tokenPattern = /^[\x21-\x7e]{1,16384}$/;
/** RFC 6265 4.1.1 */
const cookieValue = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/** What an answer stands for that nobody gave: the token was made here. */
const nobody: WireAnswer = {
  status: 200,
  headers: {},
  cookies: {},
  text: '',
  body: undefined,
  kind: 'text',
  isSuccess: true,
};

/** An error can come with a token: it must not be quoted either. */
export function noteToken({ token }: CompiledDefinition, scope: RequestScope, scrubber: Scrubber): void {
  try {
    const value = token.value.value(scope);
    if (typeof value === 'string' && tokenPattern.test(value)) scrubber.add(value);
  } catch (error) {
    // Most failures have no token, or something else in its place.
    if (!(error instanceof TemplateFault)) throw error;
  }
}

/**
 * Reads the token and all that goes with it from the answers.
 *
 * @param last the answer that was given last; undefined where nobody was asked
 * @throws ProviderError, TemplateFault
 */
export function readToken(
  compiled: CompiledDefinition,
  scope: RequestScope,
  last: WireAnswer | undefined,
  failures: Failures,
  scrubber: Scrubber,
  sentAt: number,
): Omit<IssuedToken, 'sentAt' | 'sentAtMonotonic'> {
  const answer = last ?? nobody;
  const { value, type, scope: scopeTemplate } = compiled.token;
  const found = value.isAbsent(scope) ? undefined : value.value(scope);
  const token = found instanceof Uint8Array || found instanceof Secret ? asText(found) : found;
  if (typeof token !== 'string' || !tokenPattern.test(token)) {
    const what = (token ?? '') === '' ? 'no token' : 'a token that is not a text of visible characters';
    throw failures.ofToken(
      `the provider's answer holds ${what}`,
      `The definition expects it at ${value.source}.`,
      answer,
    );
  }
  const tokenType = type?.renderUnlessAbsent(scope) ?? 'Bearer';
  if (tokenType.toLowerCase() !== 'bearer') {
    const message = `the provider issued a token of type "${scrubber.scrub(tokenType, 40)}", not Bearer`;
    throw failures.ofToken(message, 'RFC 6749 7.1: a token of a type that is not understood must not be used.', answer);
  }
  const life = lifeSeconds(compiled, scope, token, { sentAt, providerDate: answer.headers['date'] });
  if (life === undefined) {
    const places = compiled.lives.flatMap((template) => template?.source ?? []);
    const expected = places.length > 0 ? `The definition expects it at ${places.join(' or ')}. ` : '';
    const hint = `${expected}Where an answer may lack it, end token.expiry with an entry such as { fixed_s: 300 }.`;
    throw failures.ofToken('the provider did not say how long the token lives', hint, answer);
  }
  if (life <= 0) {
    const hint = "Compare the life that the provider is set to issue, and the clocks: the provider's and the broker's.";
    throw failures.ofToken('the provider issued a token that is already dead', hint, answer);
  }
  const scopeText = scrubber.scrub(scopeTemplate?.renderUnlessAbsent(scope) ?? '', 2000);
  const requestId = failures.requestId(answer);
  const accessToken = new Secret(token);
  const outputs = Object.fromEntries(present(compiled.token.outputs, scope));
  scope.learnToken(accessToken, outputs);
  return {
    accessToken,
    lifeSeconds: life,
    ...presented(compiled.present, scope),
    ...(Object.keys(outputs).length > 0 && { outputs }),
    tokenType: 'Bearer',
    ...(scopeText && { scope: scopeText }),
    ...(requestId && { providerRequestId: requestId }),
  };
}

function presented(
  fields: CompiledDefinition['present'],
  scope: RequestScope,
): Pick<IssuedToken, 'headers' | 'query' | 'cookies'> {
  const headers = writeHeaders(fields.headers, scope);
  const query = Object.fromEntries(present(fields.query, scope));
  const cookies = Object.fromEntries(present(fields.cookies, scope));
  for (const [name, value] of Object.entries(cookies)) {
    if (!cookieValue.test(value))
      throw new TemplateFault(`the cookie ${name} has characters that a cookie cannot hold`);
  }
  const written = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  const name = Object.keys(headers).find((one) => one.toLowerCase() === 'cookie') ?? 'Cookie';
  const all = [headers[name], ...written].filter((part) => part !== undefined);
  return {
    headers: { ...headers, ...(written.length > 0 && { [name]: all.join('; ') }) },
    ...(Object.keys(query).length > 0 && { query }),
    ...(written.length > 0 && { cookies }),
  };
}
