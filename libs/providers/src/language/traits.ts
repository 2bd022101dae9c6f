import type { Reference } from '../templates/template';
import type { ProviderDefinition } from './definition';

/** What a template is made from, all that it names by way of others included. */
export interface Traits {
  readonly inputs: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  readonly steps: ReadonlySet<string>;
  readonly discovery: boolean;
  /** In the order in which they have to be signed. */
  readonly assertions: ReadonlySet<string>;
  readonly values: ReadonlySet<string>;
  /** It is another text each time that it is rendered. */
  readonly varies: boolean;
  /** It names itself. */
  readonly circular: boolean;
}

const nothing: Traits = {
  inputs: new Set(),
  secrets: new Set(),
  steps: new Set(),
  discovery: false,
  assertions: new Set(),
  values: new Set(),
  varies: false,
  circular: false,
};

/** Follows what values and assertions are made from. */
export class TraitsOf {
  readonly #known = new Map<string, Traits>();
  readonly #open = new Set<string>();

  /** @param references what a value (`values.a`) or an assertion (`assertions.b`) names itself */
  constructor(
    private readonly definition: ProviderDefinition,
    private readonly references: ReadonlyMap<string, readonly Reference[]>,
  ) {}

  of(references: readonly Reference[]): Traits {
    const traits = references.map(({ path, hidden }) => ({
      ...this.#path(path),
      ...(hidden && { secrets: nothing.secrets }),
    }));
    return traits.reduce(join, nothing);
  }

  #path([root, name]: Reference['path']): Traits {
    const key = String(name);
    if (root === 'inputs') {
      const secret = Object.hasOwn(this.definition.inputs, key) && this.definition.inputs[key]!.secret;
      return { ...nothing, inputs: new Set([key]), ...(secret && { secrets: new Set([key]) }) };
    }
    if (root === 'steps') return { ...nothing, steps: new Set([key]) };
    if (root === 'discovery') return { ...nothing, discovery: true };
    if (root === 'values' || root === 'assertions') return this.#named(root, key);
    return root === 'now' || root === 'uuid' || root === 'random' ? { ...nothing, varies: true } : nothing;
  }

  #named(root: 'values' | 'assertions', name: string): Traits {
    const full = `${root}.${name}`;
    const known = this.#known.get(full);
    if (known) return known;
    if (this.#open.has(full)) return { ...nothing, circular: true };
    this.#open.add(full);
    const inner = this.of(this.references.get(full) ?? []);
    this.#open.delete(full);
    const traits = { ...inner, [root]: new Set([...inner[root], name]) };
    this.#known.set(full, traits);
    return traits;
  }
}

function join(a: Traits, b: Traits): Traits {
  const both = <T>(one: ReadonlySet<T>, other: ReadonlySet<T>): Set<T> => new Set([...one, ...other]);
  return {
    inputs: both(a.inputs, b.inputs),
    secrets: both(a.secrets, b.secrets),
    steps: both(a.steps, b.steps),
    discovery: a.discovery || b.discovery,
    assertions: both(a.assertions, b.assertions),
    values: both(a.values, b.values),
    varies: a.varies || b.varies,
    circular: a.circular || b.circular,
  };
}
