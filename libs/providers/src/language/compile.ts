import { XMLValidator } from 'fast-xml-parser';
import { parsePath } from '../templates/path';
import type { Template } from '../templates/template';
import type {
  CompiledAssertion,
  CompiledBody,
  CompiledDefinition,
  CompiledStep,
  Fields,
  JsonNode,
  ListFields,
} from './compiled-definition';
import { compileUrl } from './compile-url';
import type {
  ApiSpec,
  AssertionSpec,
  BodySpec,
  Condition,
  JsonTemplate,
  Lists,
  ProviderDefinition,
  StepSpec,
} from './definition';
import type { Fault, Place } from './fault';
import { checkInputSpecs } from './input-specs';
import { type Where, TemplateReader } from './template-reader';

/** Parses every template and condition of a definition that its JSON Schema accepts, and collects what is wrong. */
export function compile(definition: ProviderDefinition): {
  compiled: CompiledDefinition;
  faults: Fault[];
  warnings: Fault[];
} {
  const compiler = new Compiler(definition);
  const compiled = compiler.definition();
  return { compiled, faults: compiler.reader.faults, warnings: compiler.reader.warnings };
}

class Compiler {
  readonly reader: TemplateReader;

  constructor(private readonly source: ProviderDefinition) {
    this.reader = new TemplateReader(source);
  }

  definition(): CompiledDefinition {
    const { source, reader } = this;
    checkInputSpecs(source, reader);
    const values = reader.values;
    const assertions = this.#assertions();
    const specs = source.steps ?? [];
    const ids = specs.map((step) => step.id);
    const discovery = source.discovery && this.#discovery(source.discovery);
    const steps = specs.map((spec, index) => this.#step(spec, index, ids.slice(0, index)));

    reader.startStage();
    const place = (...at: Place): Where => ({ at, steps: ids });
    const { token, present } = source;
    const presented = (kind: 'headers' | 'query' | 'cookies'): Fields =>
      this.#fields(present[kind], { ...place('present', kind), presented: true });
    source.errors?.forEach((rule, index) => this.#condition(rule.when, ['errors', index, 'when']));
    source.renew?.invalid_when?.forEach((one, index) => this.#condition(one, ['renew', 'invalid_when', index]));
    const compiled: CompiledDefinition = {
      definition: source,
      values,
      assertions,
      ...(discovery && { discovery: { ...discovery, alwaysNeeded: reader.namesMetadata } }),
      steps,
      token: {
        value: reader.read(token.value, { ...place('token', 'value'), isToken: true }),
        type: reader.readIfGiven(token.type, place('token', 'type')),
        scope: reader.readIfGiven(token.scope, { ...place('token', 'scope'), served: true }),
        outputs: this.#fields(token.outputs, { ...place('token', 'outputs'), served: true }),
      },
      lives: token.expiry.map((entry, index) => {
        if ('in' in entry) return reader.read(entry.in, place('token', 'expiry', index, 'in'));
        return 'at' in entry ? reader.read(entry.at, place('token', 'expiry', index, 'at')) : undefined;
      }),
      present: { headers: presented('headers'), query: presented('query'), cookies: presented('cookies') },
      ...(source.api && { api: this.#api(source.api) }),
      lastAssertions: reader.endStage(),
      secretValues: reader.secretValues,
    };
    this.#overridable();
    this.#expiry();
    reader.finish();
    // Only now it is known what is read of each answer.
    return { ...compiled, steps: steps.map((step) => ({ ...step, reads: reader.readsOf(step.spec.id) })) };
  }

  #discovery({ issuer, ca }: NonNullable<ProviderDefinition['discovery']>) {
    const place = (field: string): Where => ({ at: ['discovery', field], steps: [] });
    if (/\bdiscovery\./.test(issuer)) this.reader.fault(place('issuer').at, 'its own metadata cannot say who it is');
    return {
      issuer: compileUrl(this.reader, issuer, { ...place('issuer'), inUrl: 'plain' }),
      ca: this.reader.authority(ca, place('ca')),
    };
  }

  /** Names what a request to it can know long after the token came: inputs, values of them, and the token's outputs. */
  #api({ base_url, hosts }: ApiSpec): NonNullable<CompiledDefinition['api']> {
    const { reader } = this;
    const at: Place = ['api', 'base_url'];
    const url = compileUrl(reader, base_url, { at, steps: [], inUrl: 'plain', api: true }, hosts);
    const references = [...url.lead.references, ...url.rest.references];
    if (reader.traits(references).discovery)
      reader.fault(at, 'the metadata of the issuer are not at hand when the API is called');
    reader.destination(url.rest, at, 'where the API is');
    if (/[?]/.test(url.rest.literalText())) reader.fault(at, 'must not have a query: present.query is for that');
    return { url, hosts: (hosts ?? []).map((text, i) => this.#host(text, { at: ['api', 'hosts', i], steps: [] })) };
  }

  /** A request replaces what is there, and nothing that holds the token. */
  #overridable(): void {
    const { headers = {}, override = [] } = this.source.present;
    const texts = new Map(Object.entries(headers).map(([name, text]) => [name.toLowerCase(), String(text)]));
    for (const [index, name] of override.entries()) {
      const text = texts.get(name.toLowerCase());
      const at: Place = ['present', 'override', index];
      if (text === undefined) this.reader.fault(at, `"${name}" is not one of present.headers`);
      else if (/\{\{[^}]*\btoken\b/.test(text))
        this.reader.fault(at, `"${name}" holds the token, which no request can bring`);
    }
  }

  #assertions(): Map<string, CompiledAssertion> {
    const { reader } = this;
    const compiled = Object.entries(this.source.assertions ?? {}).map(([name, spec]): [string, CompiledAssertion] => {
      const own = (field: keyof AssertionSpec): Where => ({ at: ['assertions', name, field], own: true });
      return [
        name,
        {
          spec,
          key: reader.read(spec.key, own('key')),
          alg: reader.readIfGiven(spec.alg, own('alg')),
          passphrase: reader.readIfGiven(spec.passphrase, own('passphrase')),
          header: this.#json(spec.header ?? {}, own('header')),
          claims: this.#json(spec.claims, own('claims')),
        },
      ];
    });
    return new Map(compiled);
  }

  #step(spec: StepSpec, index: number, earlier: readonly string[]): CompiledStep {
    const { reader } = this;
    const at: Place = ['steps', index];
    const place = (...field: Place): Where => ({ at: [...at, ...field], steps: earlier });
    const inUrl = { inUrl: spec.secrets_in_url ? ('secrets' as const) : ('plain' as const) };
    if (earlier.includes(spec.id)) reader.fault([...at, 'id'], `another step is called "${spec.id}"`);
    if (spec.method === 'GET' && spec.body) reader.fault([...at, 'body'], 'a GET request has no body');
    spec.fail_if?.forEach((condition, i) => this.#condition(condition, [...at, 'fail_if', i]));
    reader.startStage();
    return {
      spec,
      url: compileUrl(reader, spec.url, { ...place('url'), ...inUrl }, spec.hosts),
      hosts: (spec.hosts ?? []).map((text, i) => this.#host(text, place('hosts', i))),
      query: this.#lists(spec.query, { ...place('query'), ...inUrl }),
      headers: this.#fields(spec.headers, place('headers')),
      ...(spec.basic && {
        basic: {
          user: reader.read(spec.basic.user, place('basic', 'user')),
          pass: reader.read(spec.basic.pass, place('basic', 'pass')),
        },
      }),
      ...(spec.body && { body: this.#body(spec.body, place('body')) }),
      ...(spec.mtls && {
        mtls: {
          cert: reader.read(spec.mtls.cert, place('mtls', 'cert')),
          key: reader.read(spec.mtls.key, place('mtls', 'key')),
          passphrase: reader.readIfGiven(spec.mtls.passphrase, place('mtls', 'passphrase')),
        },
      }),
      ca: reader.authority(spec.ca, place('ca')),
      assertions: reader.endStage(),
      reads: 'nothing',
    };
  }

  #host(text: string, place: Where): Template {
    const template = this.reader.read(text, { ...place, position: 'url_lead' });
    for (const { path } of template.references) {
      const isHost = (['url', 'host'] as const).some((format) => this.reader.isOfFormat(path[1], format));
      if (!isHost) this.reader.fault(place.at, `"${path[1]}" is not an input of format url or host`);
    }
    return template;
  }

  #body(body: BodySpec, place: Where): CompiledBody {
    const inside = (kind: string): Where => ({ ...place, at: [...place.at, kind] });
    if ('form' in body) return { kind: 'form', form: this.#lists(body.form, inside('form')) };
    if ('json' in body) return { kind: 'json', json: this.#json(body.json, inside('json')) };
    if ('text' in body) return { kind: 'text', text: this.reader.read(body.text, inside('text')) };
    const text = this.reader.read(body.xml, { ...inside('xml'), position: 'xml' });
    const valid = XMLValidator.validate(text.literalText('x'));
    if (valid !== true) this.reader.fault(inside('xml').at, `is not well-formed XML: ${valid.err.msg}`);
    if (/<!DOCTYPE/i.test(body.xml)) this.reader.fault(inside('xml').at, 'must not have a DOCTYPE');
    return { kind: 'xml', text };
  }

  #fields(texts: ProviderDefinition['values'], place: Where): Fields {
    const entries = Object.entries(texts ?? {});
    return new Map(
      entries.map(([name, text]) => [name, this.reader.read(String(text), { ...place, at: [...place.at, name] })]),
    );
  }

  #lists(texts: Lists | undefined, place: Where): ListFields {
    return new Map(
      Object.entries(texts ?? {}).map(([name, given]) => {
        const at = [...place.at, name];
        if (!Array.isArray(given)) return [name, [this.reader.read(String(given), { ...place, at })]];
        return [name, given.map((text, index) => this.reader.read(String(text), { ...place, at: [...at, index] }))];
      }),
    );
  }

  #json(value: JsonTemplate, place: Where): JsonNode {
    if (typeof value === 'string') return this.reader.read(value, place);
    if (typeof value !== 'object' || value === null) return value;
    const inside = (part: string | number): Where => ({ ...place, at: [...place.at, part] });
    if (Array.isArray(value)) return value.map((part: JsonTemplate, index) => this.#json(part, inside(index)));
    const entries = Object.entries(value as Record<string, JsonTemplate>);
    return new Map(entries.map(([name, part]): [string, JsonNode] => [name, this.#json(part, inside(name))]));
  }

  #condition({ path }: Condition, at: Place): void {
    if (path === undefined) return;
    if (!parsePath(path)) this.reader.fault([...at, 'path'], 'is not a path such as errors[0].code');
    if (/^body\.|^steps\.\w+\.body\./.test(path))
      this.reader.warn(
        [...at, 'path'],
        `begins in the body: ${path.replace(/^(steps\.\w+\.)?body\./, '')} is likely meant`,
      );
  }

  /** An entry that always yields a life hides those below it. */
  #expiry(): void {
    const { expiry } = this.source.token;
    const always = expiry.findIndex((entry) => 'fixed_s' in entry || 'never' in entry);
    const hidden = expiry.findIndex((entry, index) => always >= 0 && index > always && !('jwt_exp' in entry));
    if (hidden >= 0) {
      this.reader.warn(['token', 'expiry', hidden], `is never reached: entry ${always} above it always yields a life`);
    }
  }
}
