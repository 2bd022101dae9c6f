import type { LookupFunction } from 'node:net';
import type { Secret } from '#vault';
import type { Clock } from '../clock';
import { ProviderError, ProviderMisconfigured } from '../failures/errors';
import { Failures } from '../failures/failure';
import { Scrubber } from '../failures/scrubber';
import type { CompiledDefinition } from '../language/compiled-definition';
import type { ProviderDefinition } from '../language/definition';
import { compiledOf, InvalidDefinition } from '../language/read-definition';
import { AllowedOrigins } from '../network/address';
import { Network, type WireAnswer, type WireRequest } from '../network/network';
import { TemplateFault } from '../templates/text';
import { signAssertions } from './assertions';
import type { ConnectionTest } from './connection-test';
import { Deadline } from './deadline';
import { type Exchange, IssuerMetadata } from './discovery';
import { checkInputs } from './inputs';
import type { IssuedToken } from './issued-token';
import { noteToken, readToken } from './read-token';
import { RequestScope } from './request-scope';
import { TestRecord } from './test-record';
import { trusted, writeRequest, writeUrl } from './write-request';

type GivenInputs = Readonly<Record<string, string | Secret>>;

export interface TokenRequester {
  /**
   * Gets a token from the provider. Every step is sent once: retries are the caller's.
   *
   * @throws ProviderError and nothing else
   */
  requestToken(definition: ProviderDefinition, inputs: GivenInputs, signal?: AbortSignal): Promise<IssuedToken>;
  /** The same, to be looked at: each step as it was sent and answered, with secrets and tokens masked. Never rejects. */
  tryOut(definition: ProviderDefinition, inputs: GivenInputs, signal?: AbortSignal): Promise<ConnectionTest>;
  /** Waits for the requests under way, then closes the connections. */
  close(): Promise<void>;
}

export interface Deadlines {
  /** DNS, TCP and TLS together. Default 2000. */
  connectMs?: number;
  /** All steps together, to the last byte of the last answer. Default 8000. */
  totalMs?: number;
}

export interface TokenRequesterOptions {
  clock: Clock;
  /** Origins where plain http and private addresses are fine: the operator's list. */
  allowedOrigins: readonly string[];
  deadlines?: Deadlines;
  /** For tests: stands in for the system's resolver. */
  lookup?: LookupFunction;
  /** For tests: where an origin is really reached, such as `https://zoom.us` at `http://127.0.0.1:4711`. */
  route?: (origin: string) => string;
}

export function createTokenRequester(options: TokenRequesterOptions): TokenRequester {
  const { clock, allowedOrigins, lookup, route } = options;
  const { connectMs = 2000, totalMs = 8000 } = options.deadlines ?? {};
  const allowed = new AllowedOrigins(allowedOrigins);
  const network = new Network({ allowed, connectMs, totalMs, ...(lookup && { lookup }), ...(route && { route }) });
  const metadata = new IssuerMetadata(clock, allowed);

  async function requestToken(
    definition: ProviderDefinition,
    inputs: GivenInputs,
    signal: AbortSignal | undefined,
    record?: TestRecord,
  ): Promise<IssuedToken> {
    const checked = checkInputs(definition, inputs, { allowedOrigins });
    const scrubber = new Scrubber(Object.values(checked.secret));
    record?.maskWith(scrubber);
    const failures = new Failures(definition, scrubber, () => clock.now());
    const deadline = new Deadline(totalMs, signal);
    let answer: WireAnswer | undefined;
    try {
      const faults = checked.faults.map(({ pointer, detail }) => `${pointer} ${detail}`);
      if (faults.length > 0) throw misconfigured(faults.join('; '), 'Correct the inputs of the client.');
      const compiled = compiledOf(definition);
      const scope = new RequestScope(compiled, checked, clock, scrubber);
      const sent = { sentAt: clock.now(), sentAtMonotonic: clock.monotonic() };
      await learnMetadata(compiled, scope, (request) => exchange('discovery', request), failures);
      for (const step of compiled.steps) {
        await signAssertions(step.assertions, compiled, scope, clock);
        answer = await exchange(step.spec.id, writeRequest(step, scope, allowed, scrubber));
        scope.learnAnswer(step.spec.id, answer);
        noteToken(compiled, scope, scrubber);
        const failure = failures.ofAnswer(answer, step);
        if (failure) throw failure;
      }
      await signAssertions(compiled.lastAssertions, compiled, scope, clock);
      return { ...readToken(compiled, scope, answer, failures, scrubber, sent.sentAt), ...sent };
    } catch (error) {
      const failed = failedBy(error);
      // Of the steps before it the provider has heard.
      if (answer) delete failed.failure.reached;
      throw failed;
    } finally {
      deadline.clear();
    }

    function exchange(id: string, request: WireRequest): Promise<WireAnswer> {
      const send = () => network.exchange(request, deadline.signal);
      return record ? record.around(id, request, send) : send();
    }

    function failedBy(error: unknown): ProviderError {
      if (error instanceof TemplateFault) return misconfigured(error.message, 'Correct the inputs or the definition.');
      if (error instanceof InvalidDefinition) return misconfigured(error.message, 'Correct the definition.');
      return failures.ofException(error, deadline.why);
    }
  }

  async function learnMetadata(
    { steps, discovery }: CompiledDefinition,
    scope: RequestScope,
    exchange: Exchange,
    failures: Failures,
  ): Promise<void> {
    if (!discovery || !isNeeded(discovery, steps, scope)) return;
    const issuer = writeUrl(discovery.issuer, scope, 'the issuer');
    scope.learnMetadata(await metadata.of(issuer, exchange, failures, trusted(discovery.ca, scope)));
  }

  return {
    requestToken: (definition, inputs, signal) => requestToken(definition, inputs, signal),
    async tryOut(definition, inputs, signal) {
      const record = new TestRecord(clock);
      try {
        return record.success(await requestToken(definition, inputs, signal, record));
      } catch (error) {
        if (error instanceof ProviderError) return record.failed(error);
        throw error;
      }
    },
    close: () => network.close(),
  };
}

/** The issuer is asked where something depends on its answer: not where it is unknown, or a token URL stands in for it. */
function isNeeded(
  { issuer, alwaysNeeded }: NonNullable<CompiledDefinition['discovery']>,
  steps: CompiledDefinition['steps'],
  scope: RequestScope,
): boolean {
  if (issuer.lead.isAbsent(scope)) return false;
  return alwaysNeeded || steps.some(({ url }) => url.decidedBy === 'discovery' && url.lead.isAbsent(scope));
}

function misconfigured(message: string, hint: string): ProviderError {
  return new ProviderMisconfigured({ message, hint, reached: false });
}
