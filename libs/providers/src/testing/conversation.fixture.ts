import type { RequestListener } from 'node:http';
import { inspect } from 'node:util';
import { Secret } from '#vault';
import { type LocalProvider, type ReceivedRequest, startProvider } from '../../../../test/harness/local-provider';
import { systemClock } from '../clock';
import type { ProviderDefinition } from '../language/definition';
import { type Failure, ProviderError } from '../failures/errors';
import type { IssuedToken } from '../request/issued-token';
import { loadPresets } from '../language/presets';
import { createTokenRequester, type TokenRequester } from '../request/token-requester';

const presets = loadPresets();
export const capillary = presets.get('capillary')!.definition;
export const oauth = presets.get('oauth2-client-credentials')!.definition;
/** Awkward in every encoding, and found again by its first letters wherever it leaks. */
export const clientSecret = 'canary+s3cret/%:ü';

export type Answer = RequestListener | { status?: number; headers?: Record<string, string>; body?: unknown };

/** A requester and a provider on loopback for the tests of one file. */
export class Conversation {
  /** What the provider answers from now on. */
  answer: Answer = {};
  provider!: LocalProvider;
  requester!: TokenRequester;

  static forThisFile(): Conversation {
    const talk = new Conversation();
    beforeAll(() => talk.#start());
    beforeEach(() => talk.received.splice(0));
    afterAll(async () => {
      await talk.requester.close();
      await talk.provider.close();
    });
    return talk;
  }

  async #start(): Promise<void> {
    this.provider = await startProvider((request, response) => {
      if (typeof this.answer === 'function') return this.answer(request, response);
      const { status = 200, headers = {}, body } = this.answer;
      response.writeHead(status, headers);
      response.end(typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body));
    });
    const allowedOrigins = [this.provider.origin];
    this.requester = createTokenRequester({ clock: systemClock, allowedOrigins, deadlines: { totalMs: 400 } });
  }

  get received(): ReceivedRequest[] {
    return this.provider.received;
  }

  request(definition: ProviderDefinition = capillary, more: Record<string, string> = {}): Promise<IssuedToken> {
    const { origin } = this.provider;
    const inputs =
      definition === capillary
        ? { base_url: origin, key: new Secret('canary-key'), secret: new Secret(clientSecret) }
        : { token_url: `${origin}/token`, client_id: 'id:1', client_secret: new Secret(clientSecret) };
    return this.requester.requestToken(definition, { ...inputs, ...more });
  }

  /** The failure that the answer leads to; it tells no canary. */
  async failure(answer: Answer, definition = capillary): Promise<Failure & { code: string }> {
    this.answer = answer;
    const error: unknown = await this.request(definition).catch((caught: unknown) => caught);
    if (!(error instanceof ProviderError)) throw new Error('not a failure of the provider', { cause: error });
    const told = inspect(error, { depth: Infinity, showHidden: true });
    if (told.includes('canary')) throw new Error(`a canary is told: ${told}`);
    const { code, failure } = error;
    return { code, ...failure };
  }

  /** The token that the answer leads to: Capillary's `data`, or the whole body for any other definition. */
  issued(data: unknown, definition = capillary, headers: Record<string, string> = {}): Promise<IssuedToken> {
    this.answer = { headers, body: definition === capillary ? { data, errors: null } : data };
    return this.request(definition);
  }
}
