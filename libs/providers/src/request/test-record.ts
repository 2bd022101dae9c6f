import type { Clock } from '../clock';
import type { ProviderError } from '../failures/errors';
import { Scrubber } from '../failures/scrubber';
import { jsonIn } from '../json';
import type { WireAnswer, WireRequest } from '../network/network';
import type { ConnectionTest, TestedStep } from './connection-test';
import type { IssuedToken } from './issued-token';

const maxShownChars = 4_000;
const secretive =
  /token|secret|passw|assertion|api_?key|authorization|cookie|session|signature|jwt|credential|code_verifier/i;
/** A run that could be a key or a token of somebody: no word is so long, nor has digits in it. */
const opaque = /(?=[\w+/=.~-]*\d)[\w+/=.~-]{24,}/g;

interface Recorded {
  id: string;
  request: WireRequest;
  answer?: WireAnswer;
  durationMs: number;
}

/** What was sent and answered while a connection is tested. Masked only at the end, when the token is known too. */
export class TestRecord {
  readonly #steps: Recorded[] = [];
  readonly #started: number;
  #scrubber = new Scrubber([]);

  constructor(private readonly clock: Clock) {
    this.#started = clock.monotonic();
  }

  maskWith(scrubber: Scrubber): void {
    this.#scrubber = scrubber;
  }

  async around(id: string, request: WireRequest, exchange: () => Promise<WireAnswer>): Promise<WireAnswer> {
    const step: Recorded = { id, request, durationMs: 0 };
    this.#steps.push(step);
    const started = this.clock.monotonic();
    try {
      return (step.answer = await exchange());
    } finally {
      step.durationMs = Math.round(this.clock.monotonic() - started);
    }
  }

  success(issued: IssuedToken): ConnectionTest {
    const token = issued.accessToken.reveal();
    this.#scrubber.add(token);
    const { headers, query, cookies, outputs, scope, lifeSeconds } = issued;
    return {
      ok: true,
      steps: this.#shown(),
      extracted: {
        token: `[token, ${token.length} characters]`,
        lifeSeconds,
        ...(scope !== undefined && { scope }),
        ...(outputs && { outputs: this.#maskedValues(outputs) }),
        present: {
          headers: this.#maskedValues(headers),
          ...(query && { query: this.#maskedValues(query) }),
          ...(cookies && { cookies: this.#maskedValues(cookies) }),
        },
      },
      durationMs: this.#elapsed(),
    };
  }

  failed({ code, failure }: ProviderError): ConnectionTest {
    return { ok: false, steps: this.#shown(), failure: { code, ...failure }, durationMs: this.#elapsed() };
  }

  #elapsed(): number {
    return Math.round(this.clock.monotonic() - this.#started);
  }

  #shown(): TestedStep[] {
    return this.#steps.map(({ id, request, answer, durationMs }) => ({
      id,
      request: {
        method: request.method,
        url: this.#masked(request.url.href),
        headers: this.#maskedValues(request.headers),
        ...(request.body !== undefined && { body: this.#maskedBody(request.body) }),
      },
      ...(answer && {
        answer: {
          status: answer.status,
          headers: this.#maskedValues(answer.headers),
          body: this.#maskedBody(answer.text, true),
        },
      }),
      durationMs,
    }));
  }

  /** By name, and what is opaque whatever its name: an answer may hold a refresh token, or the token of somebody else. */
  #maskedBody(text: string, isAnswer = false): string {
    const json = jsonIn(text);
    if (typeof json === 'object' && json !== null) {
      try {
        return this.#masked(JSON.stringify(json, (name, value: unknown) => this.#maskedLeaf(name, value, isAnswer)));
      } catch {
        return '[nested too deeply to be shown]';
      }
    }
    const scrubbed = this.#masked(text);
    return isAnswer ? scrubbed.replace(opaque, hidden) : scrubbed;
  }

  #maskedLeaf(name: string, value: unknown, isAnswer: boolean): unknown {
    if (typeof value !== 'string') return value;
    const scrubbed = this.#masked(value);
    if (!isAnswer || scrubbed !== value) return scrubbed;
    if (secretive.test(name) && !/type|expir|endpoint|url|uri/i.test(name)) return hidden(value);
    return /^https?:\/\//.test(value) ? scrubbed : scrubbed.replace(opaque, hidden);
  }

  #maskedValues(values: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => {
        const scrubbed = this.#masked(value);
        const isBare = secretive.test(name) && scrubbed === value && !/type/i.test(name);
        return [name, isBare ? value.replace(/^([A-Za-z]+ )?.*$/s, '$1[hidden]') : scrubbed];
      }),
    );
  }

  #masked(text: string): string {
    return this.#scrubber.scrub(text, maxShownChars);
  }
}

function hidden(text: string): string {
  return `[hidden, ${text.length} characters]`;
}
