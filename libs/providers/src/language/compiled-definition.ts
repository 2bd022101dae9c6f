import type { Template } from '../templates/template';
import type { AssertionSpec, ProviderDefinition, StepSpec } from './definition';

export type JsonNode = Template | number | boolean | null | readonly JsonNode[] | ReadonlyMap<string, JsonNode>;
export type Fields = ReadonlyMap<string, Template>;
export type ListFields = ReadonlyMap<string, readonly Template[]>;

/** A URL in two parts: what decides the host, and the rest. */
export interface CompiledUrl {
  readonly lead: Template;
  readonly rest: Template;
  /** Who decides the host: the definition with the client's inputs, the issuer's metadata, or an earlier answer. */
  readonly decidedBy: 'definition' | 'discovery' | 'answer';
}

export interface CompiledStep {
  readonly spec: StepSpec;
  readonly url: CompiledUrl;
  /** The only hosts that an answer may name: names, or the host of an input. */
  readonly hosts: readonly Template[];
  readonly query: ListFields;
  readonly headers: Fields;
  readonly basic?: { readonly user: Template; readonly pass: Template };
  readonly body?: CompiledBody;
  readonly mtls?: { readonly cert: Template; readonly key: Template; readonly passphrase: Template | undefined };
  readonly ca: Template | undefined;
  /** Those that have to be signed before the step is taken. */
  readonly assertions: readonly string[];
  /** Whether anything is read from its body, or from the body as a whole. */
  readonly reads: 'nothing' | 'parts' | 'whole';
}

export type CompiledBody =
  | { readonly kind: 'form'; readonly form: ListFields }
  | { readonly kind: 'json'; readonly json: JsonNode }
  | { readonly kind: 'xml' | 'text'; readonly text: Template };

export interface CompiledAssertion {
  readonly spec: AssertionSpec;
  readonly alg: Template | undefined;
  readonly key: Template;
  readonly passphrase: Template | undefined;
  readonly header: JsonNode;
  readonly claims: JsonNode;
}

/** A definition with its templates parsed and checked. */
export interface CompiledDefinition {
  readonly definition: ProviderDefinition;
  readonly values: Fields;
  readonly assertions: ReadonlyMap<string, CompiledAssertion>;
  /** The issuer whose metadata is read. */
  readonly discovery?: {
    readonly issuer: CompiledUrl;
    readonly ca: Template | undefined;
    /** Named elsewhere than at the start of a URL, where an input may stand in for it. */
    readonly alwaysNeeded: boolean;
  };
  readonly steps: readonly CompiledStep[];
  readonly token: {
    readonly value: Template;
    readonly type: Template | undefined;
    readonly scope: Template | undefined;
    readonly outputs: Fields;
  };
  /** Parallel to `definition.token.expiry`; absent where the entry has no template. */
  readonly lives: readonly (Template | undefined)[];
  readonly present: { readonly headers: Fields; readonly query: Fields; readonly cookies: Fields };
  readonly api?: { readonly url: CompiledUrl; readonly hosts: readonly Template[] };
  /** Assertions that have to be signed before the token is read and presented. */
  readonly lastAssertions: readonly string[];
  /** Names of values that are made from a secret. */
  readonly secretValues: ReadonlySet<string>;
}
