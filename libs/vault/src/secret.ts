import { inspect } from 'node:util';

/** What a `Secret` prints as, wherever it is printed. */
const masked = '[secret]';

/**
 * A value that must never be printed. Safe logging is the type's own duty: string conversion, JSON, `util.inspect`
 * and template strings all yield `[secret]`; only `reveal()` yields the value, and is easy to search for.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where the value is written to the wire or to a cipher. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return masked;
  }

  toJSON(): string {
    return masked;
  }

  [inspect.custom](): string {
    return masked;
  }
}
