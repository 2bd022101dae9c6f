import { types } from 'node:util';
import type { CompiledStep } from '../language/compiled-definition';
import type { ProviderDefinition } from '../language/definition';
import { AddressRefused } from '../network/connector';
import { AnswerRefused, type WireAnswer } from '../network/network';
import { holds } from './condition';
import {
  CredentialsRefused,
  type Failure,
  ProviderError,
  type ProviderErrorCode,
  ProviderMisconfigured,
  ProviderUnavailable,
  Throttled,
} from './errors';
import { retryAfterSeconds } from './retry-after';
import type { Scrubber } from './scrubber';
import { providerWords } from './words';

const classes: Record<ProviderErrorCode, new (failure: Failure, options?: ErrorOptions) => ProviderError> = {
  credentials_refused: CredentialsRefused,
  throttled: Throttled,
  provider_unavailable: ProviderUnavailable,
  provider_misconfigured: ProviderMisconfigured,
};

const hints: Record<ProviderErrorCode, string> = {
  credentials_refused: 'Compare the credentials with those at the provider, and enter them again.',
  throttled:
    'The next attempt is made when the provider allows it. Fewer calls elsewhere with the same account may help.',
  provider_unavailable:
    'Nothing to do at first: attempts go on. If it lasts, ask the provider, naming the time and the request id.',
  provider_misconfigured: "Compare the URL and the provider definition with the provider's documentation.",
};

interface Verdict {
  code: ProviderErrorCode;
  message: string;
  hint?: string | undefined;
}

/** RFC 6749 5.2: errors of a token endpoint that say something about the client rather than the request. */
const refusals = ['invalid_client', 'unauthorized_client', 'invalid_grant', 'invalid_scope', 'access_denied'];

/** Classifies failures of one client's request, each exactly once. */
export class Failures {
  constructor(
    private readonly definition: ProviderDefinition,
    private readonly scrubber: Scrubber,
    private readonly now: () => number,
  ) {}

  /** The failure that the answer is, or undefined when it is a success: the definition's rules first, then the defaults. */
  ofAnswer(answer: WireAnswer, { spec, reads }: Pick<CompiledStep, 'spec' | 'reads'>): ProviderError | undefined {
    const rule = this.definition.errors?.find(({ when }) => holds(when, answer));
    const verdict = rule
      ? { code: rule.class, message: rule.message ?? `${said[rule.class]} (HTTP ${answer.status})`, hint: rule.hint }
      : (byStatus(answer) ??
        failedBy(spec.fail_if?.findIndex((condition) => holds(condition, answer)) ?? -1, spec.id, answer) ??
        byContent(answer, reads));
    return verdict && this.#error(verdict, answer, providerWords(answer, this.scrubber));
  }

  /** An issuer's metadata (RFC 8414); its refusals say nothing of the client, who was not named. */
  ofMetadata(answer: WireAnswer): ProviderError | undefined {
    const isMissing = answer.status === 401 || answer.status === 403 || answer.status === 404;
    const verdict: Verdict | undefined = isMissing
      ? {
          code: 'provider_misconfigured',
          message: `the issuer has no metadata (HTTP ${answer.status})`,
          hint: 'Compare the issuer with the documentation, or use a definition that takes the token URL itself.',
        }
      : (byStatus(answer) ?? byContent(answer, 'parts'));
    return verdict && this.#error(verdict, answer, providerWords(answer, this.scrubber));
  }

  /** The answer is a success, and what it holds cannot be used. None of the provider's words: they may hold a token. */
  ofToken(message: string, hint: string, answer: WireAnswer): ProviderError {
    return this.#error({ code: 'provider_misconfigured', message, hint }, answer);
  }

  /** No answer, or one that was not read to its end. */
  ofException(error: unknown, because: 'deadline' | 'cancelled' | undefined): ProviderError {
    if (error instanceof ProviderError) return error;
    if (error instanceof AnswerRefused) {
      // The status still tells a refusal from an outage.
      const { status, headers } = error;
      const answer: WireAnswer = { ...unread, status, headers, isSuccess: status >= 200 && status < 300 };
      const verdict = byStatus(answer) ?? { code: 'provider_unavailable', message: error.message };
      return this.#error(verdict, answer);
    }
    if (error instanceof AddressRefused) {
      return new ProviderMisconfigured({ message: `not sent: ${error.message}`, hint: error.hint, reached: false });
    }
    const cause = this.#safeCause(error);
    const hint = networkHints[cause.code] ?? hints.provider_unavailable;
    if (because === 'deadline')
      return new ProviderUnavailable({ message: 'the provider did not answer in time', hint }, { cause });
    if (because === 'cancelled') return new ProviderUnavailable({ message: 'the request was cancelled' }, { cause });
    if (certificateRefused.test(cause.code)) {
      const message = `the provider refused the connection for the client's certificate: ${cause.code}`;
      return new CredentialsRefused({ message, hint: certificateHint, reached: false }, { cause });
    }
    const unreached = neverConnected.test(cause.code) && { reached: false };
    if (/^ERR_(OSSL|CRYPTO|TLS_CERT)/.test(cause.code) && !networkHints[cause.code]) {
      const failure = { message: `no connection can be made with this certificate: ${cause.code}`, ...unreached };
      return new ProviderMisconfigured({ ...failure, hint: 'Compare the client certificate with its key.' }, { cause });
    }
    const message = `no answer came from the provider: ${cause.code || cause.message}`;
    const cut = cutOff.test(cause.code) && { cut: true };
    return new ProviderUnavailable({ message, hint, ...unreached, ...cut }, { cause });
  }

  #error({ code, message, hint }: Verdict, answer: WireAnswer, words?: string): ProviderError {
    const requestId = this.requestId(answer);
    const retryAfter = retryAfterSeconds(answer.headers, this.now());
    return new classes[code]({
      message,
      hint: hint ?? hints[code],
      providerStatus: answer.status,
      ...(words && { providerWords: words }),
      ...(requestId && { providerRequestId: requestId }),
      ...(retryAfter !== undefined && { retryAfterSeconds: retryAfter }),
    });
  }

  requestId({ headers }: WireAnswer): string | undefined {
    const name = this.definition.request_id_header?.toLowerCase();
    const value = name && headers[name];
    return value ? this.scrubber.scrub(value, 128) : undefined;
  }

  /** A copy with nothing but code and message: the original may hold the request, or a part of the answer. */
  #safeCause(error: unknown): Error & { code: string } {
    const known: Partial<AggregateError> = types.isNativeError(error) ? error : {};
    // Of several addresses that were tried, the first one speaks for all.
    const { code = '', message, name } = (known.errors?.[0] ?? known) as Partial<NodeJS.ErrnoException>;
    const text = this.scrubber.scrub(message || name || 'unknown');
    // The same alert by OpenSSL 3.5, which Node 24 has, and by those before.
    return Object.assign(new Error(text), {
      code: this.scrubber.scrub(String(code).replace('_SSL/TLS_', '_SSLV3_'), 64),
    });
  }
}

const said: Record<ProviderErrorCode, string> = {
  credentials_refused: 'the provider refused the credentials',
  throttled: 'the provider asks for fewer calls',
  provider_unavailable: 'the provider is not able to answer',
  provider_misconfigured: 'the provider does not accept the request',
};

const unread = { text: '', body: undefined, cookies: {}, kind: 'json' as const };

/** The request was not written: no address, no connection, no handshake. */
const neverConnected =
  /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|ERR_TLS.*|ERR_OSSL.*|ERR_CRYPTO.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*)$/;

const cutOff = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;

const howToTrust =
  "If it is to be trusted, give it in the input that the definition's ca stands for (in presets: ca_certificate), or for all providers with NODE_EXTRA_CA_CERTS.";

/** TLS alerts (RFC 8446 6.2) of a server that does not take the client's certificate, or misses one. */
const certificateRefused =
  /^ERR_SSL_\w+_ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_[A-Z]+|UNKNOWN_CA|ACCESS_DENIED)$/;

const certificateHint =
  'Compare the client certificate, its chain and its dates with what the provider has registered; without one, the provider wants one.';

const networkHints: Record<string, string> = {
  ENOTFOUND: 'The host does not exist, or the DNS server does not know it: check the URL.',
  ECONNREFUSED: 'Nothing listens there: check host and port of the URL.',
  UND_ERR_CONNECT_TIMEOUT: 'No connection came about: check host and port, and that a firewall lets the broker out.',
  CERT_HAS_EXPIRED: "The provider's certificate has expired: the provider has to renew it.",
  CERT_NOT_YET_VALID: "The provider's certificate is not valid yet: check the clock of the broker's machine.",
  ERR_TLS_CERT_ALTNAME_INVALID: "The provider's certificate is for another host: check the URL.",
  // A server need not say why: Node's own closes without an alert.
  UND_ERR_SOCKET:
    'The provider closed the connection. If it lasts: some do that where a client certificate is missing or not accepted.',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'The provider broke the handshake off: it has no cipher in common with the broker, or wants a client certificate.',
  DEPTH_ZERO_SELF_SIGNED_CERT: `The certificate is self-signed. ${howToTrust}`,
  ...Object.fromEntries(
    [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_SIGNATURE_FAILURE',
    ].map((code) => [code, `The certificate authority is unknown. ${howToTrust}`]),
  ),
};

function byStatus({ status, body, isSuccess }: WireAnswer): Verdict | undefined {
  if (isSuccess) return undefined;
  const verdict = (code: ProviderErrorCode, message = said[code], hint?: string): Verdict => ({
    code,
    message: `${message} (HTTP ${status})`,
    hint,
  });
  if (status === 429) return verdict('throttled');
  if (status === 401 || status === 403) return verdict('credentials_refused');
  if (status === 408 || status === 425 || status >= 500 || status < 200) return verdict('provider_unavailable');
  if (status < 400) {
    const hint = 'Redirects are not followed, since a secret would be sent to wherever they lead: enter the final URL.';
    return verdict('provider_misconfigured', 'the provider redirects', hint);
  }
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
  if (status === 400 && refusals.includes(String(error))) return verdict('credentials_refused');
  if (error === 'temporarily_unavailable' || error === 'server_error') return verdict('provider_unavailable');
  return verdict('provider_misconfigured');
}

const kinds = { json: 'JSON', xml: 'XML', form: 'a form', text: 'text' };

function failedBy(index: number, step: string, { status }: WireAnswer): Verdict | undefined {
  if (index < 0) return undefined;
  const hint = `Entry ${index} of fail_if of the step "${step}" holds. ${hints.provider_unavailable}`;
  const message = `the provider reports an error inside a success (HTTP ${status})`;
  return { code: 'provider_unavailable', message, hint };
}

function byContent(
  { status, headers, body, text, kind }: WireAnswer,
  reads: CompiledStep['reads'],
): Verdict | undefined {
  // A login whose cookie is all that is wanted may answer with any page.
  if (reads === 'nothing') return undefined;
  const isPage = /^\s*<(!doctype html|html|head|body)\b/i.test(text);
  const isUsable = reads === 'whole' ? body !== undefined : typeof body === 'object' && body !== null;
  if (isUsable && !isPage && text.trim() !== '') return undefined;
  const isXml = !isPage && (/^\s*<\?xml\b/.test(text) || /\bxml\b/.test(headers['content-type'] ?? ''));
  const isMarkup = isPage || (kind !== 'xml' && !isXml && /^\s*</.test(text));
  const what =
    text.trim() === '' ? 'an empty answer' : isMarkup ? 'an HTML page' : `an answer that is not ${kinds[kind]}`;
  const hint =
    kind !== 'xml' && isXml
      ? 'It is XML: if that is what the provider always sends, the step needs response: xml.'
      : `Often a maintenance page or a proxy in between. If it lasts, check the URL, and that the step's response is ${kind}.`;
  return {
    code: 'provider_unavailable',
    message: `the provider sent ${what} in place of a token (HTTP ${status})`,
    hint,
  };
}
