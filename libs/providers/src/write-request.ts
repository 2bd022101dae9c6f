import { type AllowedOrigins, urlFault } from './address';
import type { CompiledDefinition, CompiledStep, Fields, JsonNode } from './compiled-definition';
import { ProviderMisconfigured } from './errors';
import type { CheckedInputs } from './inputs';
import type { WireRequest } from './network';
import type { Scrubber } from './scrubber';
import { type Scope, type Template, TemplateFault, UrlText } from './template';

/** What the templates of this client can name, before any step was taken. */
export function scopeOf({ definition }: CompiledDefinition, { plain, secret }: CheckedInputs): Scope {
  const inputs = Object.create(null) as Scope['inputs'];
  for (const [name, text] of Object.entries(plain)) {
    inputs[name] = definition.inputs[name]?.format === 'url' ? new UrlText(text) : text;
  }
  return { inputs: Object.assign(inputs, secret), steps: Object.create(null) as NonNullable<Scope['steps']> };
}

/** @throws TemplateFault */
export function writeRequest(
  step: CompiledStep,
  scope: Scope,
  allowed: AllowedOrigins,
  scrubber: Scrubber,
): WireRequest {
  const url = writeUrl(step, scope);
  const fault = urlFault(url, allowed);
  if (fault !== undefined) {
    throw new ProviderMisconfigured({ message: `the URL of step ${step.spec.id} ${fault}` });
  }
  const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'token-broker' };
  // The answer's limit of 64 KB is easier to keep when nothing has to be inflated.
  headers['accept-encoding'] = 'identity';
  const [type, body] = writeBody(step, scope);
  if (type) headers['content-type'] = type;
  for (const [name, value] of Object.entries(writeHeaders(step.headers, scope))) headers[name.toLowerCase()] = value;
  if (step.basic) {
    const credentials = basic(step.basic, step.spec.basic?.encode ?? 'plain', scope);
    scrubber.add(credentials);
    headers['authorization'] = `Basic ${credentials}`;
  }
  return { method: step.spec.method, url, headers, ...(body !== undefined && { body }) };
}

/** @throws TemplateFault */
export function writeUrl(step: CompiledStep, scope: Scope): URL {
  const text = step.url.render(scope);
  if (!URL.canParse(text)) throw new TemplateFault(`the URL of step ${step.spec.id} is not a URL with these inputs`);
  const url = new URL(text);
  for (const [name, value] of present(step.query, scope)) url.searchParams.append(name, value.render(scope));
  return url;
}

/** @throws TemplateFault when a value does not fit into a header */
export function writeHeaders(fields: Fields, scope: Scope): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, template] of present(fields, scope)) {
    const value = template.render(scope);
    // Anything else would end the header, or is not written the same way by every HTTP client.
    if (/[^\x20-\x7e\xa0-\xff]/.test(value))
      throw new TemplateFault(`the value of header ${name} has characters that a header cannot hold`);
    headers[name] = value;
  }
  return headers;
}

/** RFC 6749 2.3.1: with `form`, user and password are form-encoded before they are joined, so that a ":" in one is no separator. */
function basic({ user, pass }: NonNullable<CompiledStep['basic']>, encode: 'form' | 'plain', scope: Scope): string {
  const written = [user, pass].map((template) => {
    const text = template.render(scope);
    return encode === 'form' ? new URLSearchParams([['', text]]).toString().slice(1) : text;
  });
  return Buffer.from(written.join(':'), 'utf8').toString('base64');
}

function writeBody({ form, json }: CompiledStep, scope: Scope): [type?: string, body?: string] {
  if (form) {
    const fields = present(form, scope).map(([name, template]): [string, string] => [name, template.render(scope)]);
    return ['application/x-www-form-urlencoded', new URLSearchParams(fields).toString()];
  }
  return json === undefined ? [] : ['application/json', JSON.stringify(writeJson(json, scope))];
}

/** Each template becomes a JSON string, whatever its text: there is no text that could change the structure. */
function writeJson(node: JsonNode, scope: Scope): unknown {
  if (node instanceof Map) {
    const kept = [...(node as ReadonlyMap<string, JsonNode>)].filter(([, value]) => !isAbsent(value, scope));
    return Object.fromEntries(kept.map(([name, value]) => [name, writeJson(value, scope)]));
  }
  if (Array.isArray(node)) {
    return (node as readonly JsonNode[])
      .filter((value) => !isAbsent(value, scope))
      .map((value) => writeJson(value, scope));
  }
  return isTemplate(node) ? node.render(scope) : node;
}

function present(fields: Fields, scope: Scope): [string, Template][] {
  return [...fields].filter(([, template]) => !template.isAbsent(scope));
}

function isTemplate(node: JsonNode): node is Template {
  return typeof node === 'object' && node !== null && 'render' in node;
}

function isAbsent(node: JsonNode, scope: Scope): boolean {
  return isTemplate(node) && node.isAbsent(scope);
}
