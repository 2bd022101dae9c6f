import { inspect, shown } from '../hidden';
import type { KeyView } from './wire';

/** A key that was just made. It can be read here, once, and is not printed. */
export class IssuedKey<V extends KeyView> {
  readonly #key: string;

  constructor(
    /** What stays known of it. */
    readonly view: V,
    key: string,
  ) {
    this.#key = key;
  }

  get key(): string {
    return this.#key;
  }

  toJSON(): V {
    return this.view;
  }

  [inspect](): string {
    return shown('IssuedKey', this.view);
  }
}

export function issuedKey<V extends KeyView>(body: unknown): IssuedKey<V> {
  const { key, ...view } = body as V & { key: string };
  return new IssuedKey(view as unknown as V, key);
}
