import { isDeepStrictEqual } from 'node:util';
import type { ProviderDefinition, StepSpec, Texts } from './definition';
import { type Fault, pointer } from './inputs';
import { type Path, parsePath } from './path';
import { type Position, Template, TemplateFault } from './template';

export type JsonNode = Template | number | boolean | null | readonly JsonNode[] | ReadonlyMap<string, JsonNode>;
export type Fields = ReadonlyMap<string, Template>;

export interface CompiledStep {
  readonly spec: StepSpec;
  readonly url: Template;
  readonly query: Fields;
  readonly headers: Fields;
  readonly basic?: { readonly user: Template; readonly pass: Template };
  readonly form?: Fields;
  readonly json?: JsonNode;
}

/** A definition with its templates parsed and checked. */
export interface CompiledDefinition {
  readonly definition: ProviderDefinition;
  readonly steps: readonly CompiledStep[];
  readonly token: { readonly value: Template; readonly type?: Template; readonly scope?: Template };
  /** Parallel to `definition.token.expiry`; absent where the entry has no template. */
  readonly lives: readonly (Template | undefined)[];
  readonly present: Fields;
}

/** Parses every template and condition of a definition that its JSON Schema accepts, and collects what is wrong. */
export function compile(definition: ProviderDefinition): { compiled: CompiledDefinition; faults: Fault[] } {
  const compiler = new Compiler(definition);
  const compiled = compiler.definition();
  return { compiled, faults: compiler.faults };
}

interface Place {
  readonly at: readonly (string | number)[];
  /** Steps whose answers can be named here. */
  readonly steps: readonly string[];
  readonly position?: Position;
  readonly token?: boolean;
  readonly secrets?: boolean;
}

const nothing = new Template('nothing');

class Compiler {
  readonly faults: Fault[] = [];

  constructor(private readonly source: ProviderDefinition) {}

  definition(): CompiledDefinition {
    const { source } = this;
    this.#inputs();
    const ids = source.steps.map((step) => step.id);
    const steps = source.steps.map((spec, index) => this.#step(spec, index, ids.slice(0, index)));
    const token = (field: string, text: string) => this.#template(text, { at: ['token', field], steps: ids });
    source.errors?.forEach((rule, index) => this.#path(rule.when.path, ['errors', index, 'when']));
    source.renew?.invalid_when?.forEach((one, index) => this.#path(one.path, ['renew', 'invalid_when', index]));
    return {
      definition: source,
      steps,
      token: {
        value: token('value', source.token.value),
        ...(source.token.type !== undefined && { type: token('type', source.token.type) }),
        ...(source.token.scope !== undefined && { scope: token('scope', source.token.scope) }),
      },
      lives: source.token.expiry.map((entry, index) =>
        'in' in entry ? this.#template(entry.in, { at: ['token', 'expiry', index, 'in'], steps: ids }) : undefined,
      ),
      present: this.#fields(source.present.headers, { at: ['present', 'headers'], steps: ids, token: true }),
    };
  }

  #fault(at: readonly (string | number)[], detail: string): void {
    this.faults.push({ pointer: pointer(...at), detail });
  }

  #inputs(): void {
    for (const [name, spec] of Object.entries(this.source.inputs)) {
      const at = ['inputs', name];
      if (spec.secret && (spec.default !== undefined || spec.format || spec.enum || spec.suggest)) {
        this.#fault(at, 'a secret has no default, format, enum or suggestions');
      }
      if (spec.hosts && spec.format !== 'url') this.#fault([...at, 'hosts'], 'hosts belong to inputs of format url');
      if (spec.enum && spec.default !== undefined && !spec.enum.includes(spec.default)) {
        this.#fault([...at, 'default'], 'is not in the enum');
      }
      for (const other of spec.needs ?? []) {
        if (!Object.hasOwn(this.source.inputs, other))
          this.#fault([...at, 'needs'], `"${other}" is not a declared input`);
      }
      if (spec.needs && !spec.optional) this.#fault([...at, 'needs'], 'only an optional input can need another');
    }
  }

  #step(spec: StepSpec, index: number, earlier: readonly string[]): CompiledStep {
    const at = ['steps', index];
    const place = (...field: (string | number)[]): Place => ({ at: [...at, ...field], steps: earlier });
    if (earlier.includes(spec.id)) this.#fault([...at, 'id'], `another step is called "${spec.id}"`);
    spec.fail_if?.forEach((condition, i) => this.#path(condition.path, [...at, 'fail_if', i]));
    if (spec.method === 'GET' && spec.body) this.#fault([...at, 'body'], 'a GET request has no body');
    return {
      spec,
      url: this.#url(spec.url, [...at, 'url'], earlier),
      query: this.#fields(spec.query, { ...place('query'), secrets: false }),
      headers: this.#fields(spec.headers, place('headers')),
      ...(spec.basic && {
        basic: {
          user: this.#template(spec.basic.user, place('basic', 'user')),
          pass: this.#template(spec.basic.pass, place('basic', 'pass')),
        },
      }),
      ...(spec.body && 'form' in spec.body && { form: this.#fields(spec.body.form, place('body', 'form')) }),
      ...(spec.body && 'json' in spec.body && { json: this.#json(spec.body.json, place('body', 'json')) }),
    };
  }

  /** The secrets of a client are sealed for the hosts of its token URLs: no answer may choose one, no secret be in one. */
  #url(source: string, at: readonly (string | number)[], steps: readonly string[]): Template {
    const position = /^\{\{[^}]*\}\}\//.test(source) ? 'url_prefix' : 'url';
    const url = this.#template(source, { at, steps, position, secrets: false });
    const leading = parsePath(/^\{\{\s*([\w.]+)\s*\}\}/.exec(source)?.[1] ?? '');
    const isUrlInput = (path: Path) => path[0] === 'inputs' && this.source.inputs[path[1]!]?.format === 'url';
    if (leading ? !isUrlInput(leading) : !source.startsWith('https://')) {
      this.#fault(at, 'must begin with https:// or with an input of format url');
    }
    const authority = leading ? '' : (/^https:\/\/[^/?#]*/.exec(source)?.[0] ?? '');
    if (/\bsteps\b/.test(authority)) this.#fault(at, "the host cannot come from a provider's answer");
    if (/[@#]/.test(authority) || source.includes('#')) this.#fault(at, 'must not have a user name or a fragment');
    const others = url.references.slice(leading ? 1 : 0);
    if (others.some(isUrlInput)) this.#fault(at, 'an input of format url can only stand at the start of a url');
    return url;
  }

  #fields(texts: Texts | undefined, place: Place): Fields {
    const entries = Object.entries(texts ?? {});
    return new Map(entries.map(([name, text]) => [name, this.#template(text, { ...place, at: [...place.at, name] })]));
  }

  #json(value: unknown, place: Place): JsonNode {
    if (typeof value === 'string') return this.#template(value, place);
    if (Array.isArray(value)) return value.map((one, i) => this.#json(one, { ...place, at: [...place.at, i] }));
    if (typeof value !== 'object' || value === null) return value as number | boolean | null;
    const entries = Object.entries(value);
    return new Map(entries.map(([name, one]) => [name, this.#json(one, { ...place, at: [...place.at, name] })]));
  }

  #template(source: string, place: Place): Template {
    try {
      const template = new Template(source, place.position);
      for (const path of template.references) this.#reference(path, place);
      return template;
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      this.#fault(place.at, error.message);
      return nothing;
    }
  }

  #reference(path: Path, { at, steps, token, secrets }: Place): void {
    const [root, name, part] = path;
    if (root === 'inputs' && path.length === 2) {
      const input = Object.hasOwn(this.source.inputs, name!) ? this.source.inputs[name!] : undefined;
      if (!input) this.#fault(at, `"${name}" is not a declared input`);
      else if (input.secret && secrets === false)
        this.#fault(at, `the secret "${name}" cannot be put into a URL: URLs are logged`);
    } else if (root === 'steps' && path.length >= 3 && (part === 'body' || (part === 'headers' && path.length === 4))) {
      if (!steps.includes(String(name))) this.#fault(at, `"${name}" is not an earlier step`);
    } else if (!(token && isDeepStrictEqual(path, ['token']))) {
      const names = `inputs.NAME, steps.ID.body.…, steps.ID.headers.NAME${token ? ', token' : ''}`;
      this.#fault(at, `"${path.join('.')}" cannot be named here, only ${names}`);
    }
  }

  #path(source: string | undefined, at: readonly (string | number)[]): void {
    if (source !== undefined && !parsePath(source))
      this.#fault([...at, 'path'], 'is not a path such as errors[0].code');
  }
}
