import { randomBytes, Secret } from '#vault';
import type { Clock } from '../clock';
import type { Scrubber } from '../failures/scrubber';
import { jsonIn } from '../json';
import type { CompiledDefinition } from '../language/compiled-definition';
import type { WireAnswer } from '../network/network';
import { type Path, textOfElement, valueAt } from '../templates/path';
import type { Names } from '../templates/template';
import { asText, UrlText } from '../templates/text';
import type { CheckedInputs } from './inputs';
import { isOpaque, isSecretive } from './masking';

/** Shorter ones are words that happen to stand under such a name. */
const minSessionChars = 8;

/** What the templates of one token request can name. Nothing in it has a prototype that a path could reach. */
export class RequestScope implements Names {
  readonly #inputs = new Map<string, string | Secret | UrlText>();
  readonly #steps = new Map<string, WireAnswer>();
  readonly #values = new Map<string, unknown>();
  readonly #assertions = new Map<string, Secret>();
  readonly #documents = new Map<string, unknown>();
  #outputs = new Map<string, string>();
  #metadata: unknown;
  #token: Secret | undefined;

  constructor(
    private readonly compiled: CompiledDefinition,
    { plain, secret }: Pick<CheckedInputs, 'plain' | 'secret'>,
    private readonly clock: Clock,
    private readonly scrubber?: Scrubber,
  ) {
    const { inputs } = compiled.definition;
    for (const [name, text] of Object.entries(plain)) {
      const format = inputs[name]?.format;
      const inUrls = format === 'url' || format === 'host' || format === 'path';
      this.#inputs.set(name, inUrls ? new UrlText(text, format) : text);
    }
    for (const [name, value] of Object.entries(secret)) this.#inputs.set(name, value);
  }

  learnAnswer(stepId: string, answer: WireAnswer): void {
    this.#steps.set(stepId, answer);
  }

  learnMetadata(metadata: unknown): void {
    this.#metadata = metadata;
  }

  learnAssertion(name: string, assertion: Secret): void {
    this.#assertions.set(name, assertion);
  }

  learnToken(token: Secret, outputs: Record<string, string>): void {
    this.#token = token;
    this.learnOutputs(outputs);
  }

  learnOutputs(outputs: Readonly<Record<string, string>>): void {
    this.#outputs = new Map(Object.entries(outputs));
  }

  hasAssertion(name: string): boolean {
    return this.#assertions.has(name);
  }

  at([root, name, ...rest]: Path): unknown {
    const key = String(name);
    switch (root) {
      case 'inputs':
        return rest.length === 0 ? this.#inputs.get(key) : this.#partOfInput(key, rest);
      case 'steps':
        return this.#noted(this.#answerPart(this.#steps.get(key), rest), rest);
      case 'values':
        return this.#value(key);
      case 'assertions':
        return this.#assertions.get(key);
      case 'discovery':
        return valueAt(this.#metadata, [key, ...rest]);
      case 'outputs':
        return this.#outputs.get(key);
      case 'token':
        return this.#token;
      case 'now':
        return Math.floor(this.clock.now() / 1000);
      case 'uuid':
        return crypto.randomUUID();
      case 'random':
        return randomBytes(16);
      default:
        return undefined;
    }
  }

  /** What a filter makes of a secret is as little to be shown: a digest, or "user:password" in base64. */
  derived(value: unknown, from: readonly Path[]): void {
    if (!this.scrubber || !from.some((path) => this.#isSecret(path))) return;
    if (typeof value === 'string') this.scrubber.add(value);
    if (Array.isArray(value)) for (const part of value) if (typeof part === 'string') this.scrubber.add(part);
    if (value instanceof Uint8Array) {
      this.scrubber.add(Buffer.from(value).toString('hex'));
      this.scrubber.add(Buffer.from(value).toString('base64'));
      this.scrubber.add(Buffer.from(value).toString('base64url'));
    }
  }

  #isSecret([root, name]: Path): boolean {
    if (root === 'inputs') return this.#inputs.get(String(name)) instanceof Secret;
    if (root === 'values') return this.compiled.secretValues.has(String(name));
    return root === 'assertions' || root === 'token';
  }

  #answerPart(answer: WireAnswer | undefined, [part, ...rest]: Path): unknown {
    if (!answer) return undefined;
    if (part === 'body') return textOfElement(valueAt(answer.body, rest));
    if (part === 'headers') return valueAt(answer.headers, [String(rest[0]).toLowerCase()]);
    if (part === 'cookies') return valueAt(answer.cookies, rest);
    return part === 'status' ? answer.status : answer.text.trim();
  }

  /** What one step hands to the next may open a session: it is not to be quoted either. */
  #noted(value: unknown, path: Path): unknown {
    const name = path.includes('cookies') ? 'cookies' : String(path.at(-1));
    const isSession = typeof value === 'string' && value.length >= minSessionChars;
    if (isSession && (isSecretive(name) || isOpaque(value))) this.scrubber?.add(value);
    return value;
  }

  /** Once per token, when first named. Kept as a secret where it was made from one. */
  #value(name: string): unknown {
    const template = this.compiled.values.get(name);
    if (!template || this.#values.has(name)) return this.#values.get(name);
    const value = template.isAbsent(this) ? undefined : template.value(this);
    const isSecret = typeof value === 'string' && this.compiled.secretValues.has(name);
    if (isSecret) this.scrubber?.add(value);
    this.#values.set(name, isSecret ? new Secret(value) : value);
    return this.#values.get(name);
  }

  #partOfInput(name: string, path: Path): unknown {
    const input = this.#inputs.get(name);
    if (!this.#documents.has(name)) this.#documents.set(name, jsonIn(asText(input)));
    const part = valueAt(this.#documents.get(name), path);
    if (!(input instanceof Secret)) return part;
    for (const text of textsIn(part)) {
      // A key is echoed whole or by the line.
      for (const piece of [text, ...text.split('\n')]) this.scrubber?.add(piece);
    }
    return typeof part === 'string' ? new Secret(part) : part;
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
