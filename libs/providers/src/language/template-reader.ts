import type { Path } from '../templates/path';
import { type Position, type Reference, Template } from '../templates/template';
import { TemplateFault } from '../templates/text';
import type { CompiledStep, Fields } from './compiled-definition';
import type { InputFormat, ProviderDefinition } from './definition';
import { type Fault, type Place, pointer } from './fault';
import { perRequestSignature } from './out-of-scope';
import { type Traits, TraitsOf } from './traits';

/** Where a template stands, and so what it may name. */
export interface Where {
  at: Place;
  /** Steps whose answers are there by then. */
  steps?: readonly string[];
  position?: Position;
  /** Part of a URL, where secrets are refused or, if the definition insists, warned of. */
  inUrl?: 'plain' | 'secrets';
  presented?: true;
  /** Says where the API is, when there is a token. */
  api?: true;
  /** Part of what services get. */
  served?: true;
  isToken?: true;
  /** A value's or an assertion's own text: what it names is judged where it is used. */
  own?: true;
}

const unparsed = new Template('unparsed');
const cookieParts = ['value', 'max_age', 'expires'];

/** Parses the templates of one definition, checks what each of them names, and keeps the faults. */
export class TemplateReader {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly values: Fields;
  readonly #references = new Map<string, readonly Reference[]>();
  readonly #traits: TraitsOf;
  readonly #used = new Set<string>();
  readonly #reads = new Map<string, CompiledStep['reads']>();
  /** The issuer's metadata is named elsewhere than at the start of a URL. */
  namesMetadata = false;
  #stage = new Set<string>();

  constructor(private readonly source: ProviderDefinition) {
    this.#traits = new TraitsOf(source, this.#references);
    this.values = new Map(
      Object.entries(source.values ?? {}).map(([name, text]) => [
        name,
        this.read(String(text), { at: ['values', name], own: true }),
      ]),
    );
  }

  fault(at: Place, detail: string): void {
    this.faults.push({ pointer: pointer(...at), detail });
  }

  warn(at: Place, detail: string): void {
    this.warnings.push({ pointer: pointer(...at), detail });
  }

  /** What is read from now on belongs to one step, or to what follows the last. */
  startStage(): void {
    this.#stage = new Set();
  }

  /** The assertions that the stage needs, in the order in which they are to be signed. */
  endStage(): string[] {
    return [...this.#stage];
  }

  readsOf(stepId: string): CompiledStep['reads'] {
    return this.#reads.get(stepId) ?? 'nothing';
  }

  /** A digest of a secret counts: whoever sees it can try what it is the digest of. */
  get secretValues(): ReadonlySet<string> {
    const isSecret = (input: string) => Object.hasOwn(this.source.inputs, input) && this.source.inputs[input]!.secret;
    const inputsOf = (name: string) => this.#traitsOf('values', name).inputs;
    return new Set([...this.values.keys()].filter((name) => [...inputsOf(name)].some(isSecret)));
  }

  traits(references: readonly Reference[]): Traits {
    return this.#traits.of(references);
  }

  #traitsOf(...path: Path): Traits {
    return this.traits([{ path, hidden: false }]);
  }

  isOfFormat(inputName: unknown, format: InputFormat): boolean {
    const { inputs } = this.source;
    return Object.hasOwn(inputs, String(inputName)) && inputs[String(inputName)]!.format === format;
  }

  readIfGiven(text: string | undefined, where: Where): Template | undefined {
    return text === undefined ? undefined : this.read(text, where);
  }

  read(text: string, where: Where): Template {
    let template: Template;
    try {
      template = new Template(text, where.position);
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      this.fault(where.at, error.message);
      return unparsed;
    }
    const { references } = template;
    for (const { path } of references) this.#reference(path, where);
    if (where.own) {
      // A signature does not tell its key; what it signs is there for all to read.
      const isKey = where.at[0] === 'assertions' && (where.at[2] === 'key' || where.at[2] === 'passphrase');
      const own = isKey ? references.map(({ path }) => ({ path, hidden: true })) : references;
      const key = `${where.at[0]}.${where.at[1]}`;
      this.#references.set(key, [...(this.#references.get(key) ?? []), ...own]);
      return template;
    }
    this.#use(this.traits(references), where);
    if (where.isToken) this.#token(template, where);
    return template;
  }

  /**
   * What secrets are sealed for is worked out without them, and again whenever they are opened: what decides it has to be
   * known then, and to be the same each time.
   */
  destination({ references }: Template, at: Place, what: string): void {
    const { inputs, secrets, assertions, varies } = this.traits(references);
    const unknown = [...inputs].filter((name) => this.source.inputs[name]?.secret && !secrets.has(name));
    if (unknown.length > 0) this.fault(at, `the secret "${unknown[0]}" cannot decide ${what}, nor can its digest`);
    else if (assertions.size > 0) this.fault(at, `an assertion cannot decide ${what}`);
    if (varies) this.fault(at, `now, uuid and random cannot decide ${what}: it has to be the same each time`);
  }

  /** Authorities say who may pass for a host: they are part of the seal, as hosts are. */
  authority(text: string | undefined, where: Where): Template | undefined {
    if (text === undefined) return undefined;
    const template = this.read(text, where);
    const { steps, discovery, secrets } = this.traits(template.references);
    if (steps.size > 0 || discovery || secrets.size > 0)
      this.fault(where.at, 'only inputs that are no secrets can say which authorities to trust');
    this.destination(template, where.at, 'which authorities to trust');
    return template;
  }

  /** What is declared and not used, and what names itself. */
  finish(): void {
    for (const kind of ['inputs', 'values', 'assertions'] as const) {
      for (const name of Object.keys(this.source[kind] ?? {})) {
        if (this.#traitsOf(kind, name).circular) this.fault([kind, name], 'names itself');
        if (!this.#used.has(`${kind}.${name}`)) this.warn([kind, name], 'is not used by any template');
      }
    }
  }

  #use(traits: Traits, { at, steps = [], position, inUrl, ...where }: Where): void {
    if (traits.discovery && position !== 'url_lead') this.namesMetadata = true;
    for (const kind of ['inputs', 'values', 'assertions'] as const) {
      for (const name of traits[kind]) this.#used.add(`${kind}.${name}`);
    }
    for (const name of traits.assertions) this.#stage.add(name);
    for (const id of traits.steps) {
      const exists = this.source.steps?.some((step) => step.id === id);
      if (exists && !steps.includes(id)) this.fault(at, `"${id}" is not an earlier step`);
    }
    const secrets = [...traits.secrets].map((name) => `"${name}"`).join(', ');
    if (secrets && inUrl === 'plain') {
      const how = 'if the vendor knows no other way, say so with secrets_in_url: true on the step';
      this.fault(at, `the secret ${secrets} cannot be put into a URL, since URLs are logged; ${how}`);
    }
    if (secrets && inUrl === 'secrets') this.warn(at, `the secret ${secrets} stands in a URL, which proxies log`);
    if (secrets && (where.presented || where.served || where.isToken))
      this.warn(
        at,
        `the secret ${secrets}, or what is made of it, is handed to every service that may fetch the token`,
      );
  }

  #reference(path: Path, where: Where): void {
    const [root, name, part] = path;
    const fault = (detail: string) => this.fault(where.at, detail);
    const declared = (kind: 'inputs' | 'values' | 'assertions') => Object.hasOwn(this.source[kind] ?? {}, name ?? '');
    const named = `"${path.join('.')}"`;
    if (root === 'inputs' && path.length >= 2) {
      if (!declared('inputs'))
        return fault(`"${name}" is not a declared input${those(Object.keys(this.source.inputs))}`);
      if (path.length > 2 && this.source.inputs[name!]!.format !== 'json')
        fault(`${named}: only an input of format json has parts`);
    } else if ((root === 'values' || root === 'assertions') && path.length === 2) {
      if (!declared(root))
        fault(`"${name}" is not declared under ${root}${those(Object.keys(this.source[root] ?? {}))}`);
    } else if (root === 'steps' && path.length >= 3) {
      this.#answer(path, where);
    } else if (root === 'discovery' && path.length >= 2) {
      if (!this.source.discovery) fault(`${named} needs the definition to have discovery: { issuer: … }`);
    } else if ((root === 'now' || root === 'uuid' || root === 'random') && path.length === 1) {
      const why = root === 'now' ? perRequestSignature : 'Leave it to the program that makes the request.';
      if (where.presented) fault(`${named} would be written once per token, not per API request. ${why}`);
    } else if (root === 'request' || root === 'endpoint' || root === 'method') {
      fault(perRequestSignature);
    } else if (!(
      (where.presented && root === 'token' && path.length === 1) ||
      ((where.presented || where.api) && root === 'outputs' && path.length === 2)
    )) {
      fault(`${named} cannot be named here, ${this.#instead(root, where)}`);
    } else if (root === 'outputs' && !Object.hasOwn(this.source.token.outputs ?? {}, name!)) {
      fault(`"${name}" is not declared under token.outputs`);
    }
    if (root === 'steps' && (part === 'body' || part === 'text')) {
      const whole = path.length === 3 || this.#reads.get(String(name)) === 'whole';
      this.#reads.set(String(name), whole ? 'whole' : 'parts');
    }
  }

  /** What can be named in place of what cannot. */
  #instead(root: unknown, { presented, api }: Where): string {
    for (const kind of ['inputs', 'values', 'assertions'] as const) {
      if (Object.hasOwn(this.source[kind] ?? {}, String(root))) return `only as ${kind}.${root}`;
    }
    if (root === 'token' && presented) return 'only as token: it is what token.value of the definition yields';
    if (api) return 'only inputs.NAME, values.NAME, outputs.NAME';
    const names = 'inputs.NAME, values.NAME, assertions.NAME, steps.ID.…';
    return presented ? `only token, outputs.NAME, ${names}` : `only ${names}, now, uuid, random`;
  }

  #answer(path: Path, { at }: Where): void {
    const [, id, part, name, detail] = path;
    const step = this.source.steps?.find((one) => one.id === id);
    if (!step) return this.fault(at, `"${id}" is not a step${those(this.source.steps?.map((one) => one.id))}`);
    const kind = step.response ?? 'json';
    if (part === 'body' && path.length > 3 && kind === 'text') {
      return this.fault(at, `can never match: step ${id} answers with text, which has no parts`);
    }
    if (part === 'body' && path.length > 4 && kind === 'form') {
      return this.fault(at, `can never match: a form has fields and nothing inside them`);
    }
    if (part === 'body' && path.length === 3 && (kind === 'xml' || kind === 'form')) {
      return this.fault(at, `can never match: the whole of an answer in ${kind} is no text; name a part of it`);
    }
    const fits =
      part === 'body' ||
      ((part === 'status' || part === 'text') && path.length === 3) ||
      (part === 'headers' && path.length === 4) ||
      (part === 'cookies' && path.length === 5 && name !== undefined && cookieParts.includes(String(detail)));
    if (!fits) {
      const names = `body.…, headers.NAME, status, text, cookies.NAME.${cookieParts.join('|')}`;
      this.fault(at, `"${path.join('.')}" cannot be named; of an answer: ${names}`);
    }
  }

  #token(template: Template, { at }: Where): void {
    const { steps, assertions, values } = this.traits(template.references);
    // What names nothing that there is has been told so.
    if (this.faults.at(-1)?.pointer === pointer(...at)) return;
    if (/\s/.test(template.literalText())) {
      this.fault(at, 'can never match: a token has no spaces; put a scheme such as "Bearer " into present.headers');
    } else if (steps.size === 0 && assertions.size === 0 && values.size === 0) {
      this.fault(at, 'names nothing that is issued: a token comes from a step, an assertion or a value');
    } else if (steps.size === 0 && (this.source.steps?.length ?? 0) > 0) {
      this.warn(at, 'is not taken from the answer of any step');
    }
  }
}

function those(names: readonly string[] = []): string {
  return names.length > 0 ? `; there is ${names.join(', ')}` : '; there is none';
}
