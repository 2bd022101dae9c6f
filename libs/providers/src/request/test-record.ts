import type { Clock } from '../clock';
import type { ProviderError } from '../failures/errors';
import { Scrubber } from '../failures/scrubber';
import { jsonIn } from '../json';
import type { WireAnswer, WireRequest } from '../network/network';
import type { ConnectionTest, TestedStep } from './connection-test';
import type { IssuedToken } from './issued-token';
import { hidden, hides, maskedAnswerField, maskedField, maskedText } from './masking';

const maxShownChars = 4_000;

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
        ...(outputs && { outputs: this.#maskedValues(outputs, true) }),
        present: {
          headers: this.#maskedValues(headers, true),
          ...(query && { query: this.#maskedValues(query, true) }),
          ...(cookies && { cookies: this.#maskedValues(cookies, true) }),
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
        url: this.#shownText(request.url.href),
        headers: this.#maskedValues(request.headers),
        ...(request.body !== undefined && { body: this.#maskedBody(request.body) }),
      },
      ...(answer && {
        answer: {
          status: answer.status,
          headers: this.#maskedValues(answer.headers, true),
          body: this.#maskedBody(answer.text, true),
        },
      }),
      durationMs,
    }));
  }

  /** By name, and what is opaque whatever its name: an answer may hold a refresh token, or the token of somebody else. */
  #maskedBody(text: string, isAnswer = false): string {
    const json = treeIn(text);
    try {
      if (json !== undefined) return this.#cut(this.#scrubbed(JSON.stringify(this.#maskedTree(json, '', isAnswer))));
    } catch {
      return '[nested too deeply to be shown]';
    }
    return this.#shownText(text, isAnswer);
  }

  #maskedTree(value: unknown, name: string, isAnswer: boolean, inside = false): unknown {
    const hide = isAnswer && hides(name, value, inside);
    if (Array.isArray(value)) return value.map((part, index) => this.#maskedTree(part, `${index}`, isAnswer, hide));
    if (typeof value === 'object' && value !== null) {
      const parts = Object.entries(value);
      return Object.fromEntries(parts.map(([key, part]) => [key, this.#maskedTree(part, key, isAnswer, hide)]));
    }
    if (typeof value === 'number') return hide ? hidden(String(value)) : value;
    if (typeof value !== 'string') return value;
    const scrubbed = this.#scrubbed(value);
    if (hide && scrubbed !== '[secret]' && value !== '') return hidden(value);
    return isAnswer && treeIn(value) !== undefined ? this.#maskedBody(value, true) : this.#shownText(value, isAnswer);
  }

  #maskedValues(values: Readonly<Record<string, string>>, isAnswer = false): Record<string, string> {
    const masked = isAnswer ? maskedAnswerField : maskedField;
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, this.#cut(masked(name, this.#scrubbed(value)))]),
    );
  }

  /** Cut only when nothing is left to be masked: a part of a token is not known again. */
  #shownText(text: string, isAnswer = false): string {
    const scrubbed = this.#scrubbed(text);
    return this.#cut(isAnswer ? maskedText(scrubbed) : scrubbed);
  }

  #scrubbed(text: string): string {
    return this.#scrubber.scrub(text, Infinity);
  }

  #cut(text: string): string {
    return text.length > maxShownChars ? `${text.slice(0, maxShownChars - 1)}…` : text;
  }
}

/** A list or an object. */
function treeIn(text: string): object | undefined {
  const value = jsonIn(text);
  return typeof value === 'object' && value !== null ? value : undefined;
}
