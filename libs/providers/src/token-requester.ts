import { Secret } from '#vault';
import { AllowedOrigins } from './address';
import type { Clock } from './clock';
import type { CompiledDefinition } from './compiled-definition';
import type { ConnectionTest } from './connection-test';
import type { ProviderDefinition } from './definition';
import { ProviderError, ProviderMisconfigured } from './errors';
import { Failures } from './failure';
import { checkInputs } from './inputs';
import type { IssuedToken } from './issued-token';
import { lifeSeconds } from './life';
import { Network, type WireAnswer } from './network';
import { compiledOf, InvalidDefinition } from './parse-definition';
import { Scrubber } from './scrubber';
import { type Scope, TemplateFault } from './template';
import { scopeOf, writeHeaders, writeRequest } from './write-request';

export interface TokenRequester {
  /**
   * Gets a token from the provider. Every step is sent once: retries are the caller's.
   *
   * @throws ProviderError and nothing else
   */
  requestToken(
    definition: ProviderDefinition,
    inputs: Readonly<Record<string, string | Secret>>,
    signal?: AbortSignal,
  ): Promise<IssuedToken>;
  /**
   * Tries to get a token and tells, step by step, what came of it. Nothing is stored, a failure is an answer like another.
   *
   * @param inputs as `checkInputs` found no fault with
   */
  tryOut(
    definition: ProviderDefinition,
    inputs: Readonly<Record<string, string | Secret>>,
    signal?: AbortSignal,
  ): Promise<ConnectionTest>;
  /** Waits for the requests under way, then closes the connections. */
  close(): Promise<void>;
}

export interface Deadlines {
  /** DNS, TCP and TLS together. Default 2000. */
  connectMs?: number;
  /** All steps together, to the last byte of the last answer. Default 8000. */
  totalMs?: number;
}

/** RFC 6749 A.12 without the space, which would end the value in most headers. */
const tokenPattern = /^[\x21-\x7e]{1,16384}$/;

/** @param options.allowedOrigins origins where plain http and private addresses are fine: the operator's list */
export function createTokenRequester(options: {
  clock: Clock;
  allowedOrigins: readonly string[];
  deadlines?: Deadlines;
}): TokenRequester {
  const { clock, allowedOrigins } = options;
  const { connectMs = 2000, totalMs = 8000 } = options.deadlines ?? {};
  const allowed = new AllowedOrigins(allowedOrigins);
  const network = new Network({ allowed, connectMs, totalMs });

  const requester: TokenRequester = {
    async requestToken(definition, inputs, signal) {
      const checked = checkInputs(definition, inputs, { allowedOrigins });
      const scrubber = new Scrubber(Object.values(checked.secret));
      const failures = new Failures(definition, scrubber, () => clock.now());
      const deadline = AbortSignal.timeout(totalMs);
      try {
        const faults = checked.faults.map(({ pointer, detail }) => `${pointer} ${detail}`);
        if (faults.length > 0) throw misconfigured(faults.join('; '), 'Correct the inputs of the client.');
        const compiled = compiledOf(definition);
        const scope = scopeOf(compiled, checked);
        const sent = { sentAt: clock.now(), sentAtMonotonic: clock.monotonic() };
        let answer: WireAnswer | undefined;
        for (const step of compiled.steps) {
          const request = writeRequest(step, scope, allowed, scrubber);
          answer = await network.exchange(request, signal ? AbortSignal.any([signal, deadline]) : deadline);
          scope.steps![step.spec.id] = { body: answer.body, headers: answer.headers };
          noteToken(compiled, scope, scrubber);
          const failure = failures.ofAnswer(answer, step.spec.fail_if);
          if (failure) throw failure;
        }
        return { ...readToken(compiled, scope, answer!, failures, scrubber, sent.sentAt), ...sent };
      } catch (error) {
        if (error instanceof TemplateFault) throw misconfigured(error.message, 'Correct the inputs or the definition.');
        if (error instanceof InvalidDefinition) throw misconfigured(error.message, 'Correct the definition.');
        throw failures.ofException(error, signal?.aborted ? 'cancelled' : deadline.aborted ? 'deadline' : undefined);
      }
    },
    async tryOut(definition, inputs, signal) {
      const started = clock.monotonic();
      const durationMs = () => clock.monotonic() - started;
      try {
        const issued = await requester.requestToken(definition, inputs, signal);
        const { lifeSeconds: seconds, headers, scope } = issued;
        const masked = Object.keys(headers).map((name) => [name, '[secret]']);
        const present = { headers: Object.fromEntries(masked) as Record<string, string> };
        const extracted = { token: '[secret]', lifeSeconds: seconds, present, ...(scope && { scope }) };
        return { ok: true, steps: [], extracted, durationMs: durationMs() };
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error;
        return { ok: false, steps: [], failure: { ...error.failure, code: error.code }, durationMs: durationMs() };
      }
    },
    close: () => network.close(),
  };
  return requester;
}

/** An error can come with a token: it must not be quoted either. */
function noteToken({ token }: CompiledDefinition, scope: Scope, scrubber: Scrubber): void {
  try {
    const value = token.value.value(scope);
    if (typeof value === 'string' && tokenPattern.test(value)) scrubber.add(value);
  } catch (error) {
    // Most failures have no token, or something else in its place.
    if (!(error instanceof TemplateFault)) throw error;
  }
}

function misconfigured(message: string, hint: string): ProviderError {
  return new ProviderMisconfigured({ message, hint });
}

function readToken(
  compiled: CompiledDefinition,
  scope: Scope,
  answer: WireAnswer,
  failures: Failures,
  scrubber: Scrubber,
  sentAt: number,
): Omit<IssuedToken, 'sentAt' | 'sentAtMonotonic'> {
  const { value, type, scope: scopeTemplate } = compiled.token;
  const token = value.value(scope);
  if (token instanceof Secret || typeof token !== 'string' || !tokenPattern.test(token)) {
    const what = (token ?? '') === '' ? 'no token' : 'a token that is not a text of visible characters';
    throw failures.ofToken(
      `the provider's answer holds ${what}`,
      `The definition expects it at ${value.source}.`,
      answer,
    );
  }
  const tokenType = type?.isAbsent(scope) === false ? type.render(scope) : 'Bearer';
  if (tokenType.toLowerCase() !== 'bearer') {
    const message = `the provider issued a token of type "${scrubber.scrub(tokenType, 40)}", not Bearer`;
    throw failures.ofToken(message, 'RFC 6749 7.1: a token of a type that is not understood must not be used.', answer);
  }
  const life = lifeSeconds(compiled, scope, token, sentAt);
  if (life === undefined) {
    const hint = 'Add a last entry such as { fixed_s: 300 } to token.expiry of the definition.';
    throw failures.ofToken('the provider did not say how long the token lives', hint, answer);
  }
  if (life <= 0) {
    const hint = "Compare the life that the provider is set to issue, and the clocks: the provider's and the broker's.";
    throw failures.ofToken('the provider issued a token that is already dead', hint, answer);
  }
  const scopeText =
    scopeTemplate && !scopeTemplate.isAbsent(scope) ? scrubber.scrub(scopeTemplate.render(scope), 2000) : '';
  const requestId = failures.requestId(answer);
  const accessToken = new Secret(token);
  return {
    accessToken,
    lifeSeconds: life,
    headers: writeHeaders(compiled.present, { ...scope, token: accessToken }),
    tokenType: 'Bearer',
    ...(scopeText && { scope: scopeText }),
    ...(requestId && { providerRequestId: requestId }),
  };
}
