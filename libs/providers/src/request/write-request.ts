import { readPrivateKey, restorePem, Secret, UnusableKey } from '#vault';
import { ProviderMisconfigured } from '../failures/errors';
import type { Scrubber } from '../failures/scrubber';
import type { CompiledStep, CompiledUrl, Fields, JsonNode, ListFields } from '../language/compiled-definition';
import type { ResponseKind } from '../language/definition';
import { type AllowedOrigins, hostFault, slashless, urlFault } from '../network/address';
import type { ClientTls } from '../network/connector';
import type { WireRequest } from '../network/network';
import { type Names, Template } from '../templates/template';
import { asText, formEncoded, isTree, TemplateFault } from '../templates/text';

/** @throws TemplateFault, ProviderMisconfigured */
export function writeRequest(
  step: CompiledStep,
  names: Names,
  allowed: AllowedOrigins,
  scrubber: Scrubber,
): WireRequest {
  const { method, response, expect_status: expectStatus } = step.spec;
  const url = writeStepUrl(step, names, allowed);
  const headers = usualHeaders(response ?? 'json');
  const [type, body] = writeBody(step, names);
  if (type) headers['content-type'] = type;
  for (const [name, value] of Object.entries(writeHeaders(step.headers, names))) headers[name.toLowerCase()] = value;
  // Without user and password there is nobody to name.
  if (step.basic && !(step.basic.user.isAbsent(names) && step.basic.pass.isAbsent(names))) {
    const credentials = basic(step.basic, step.spec.basic?.encode ?? 'plain', names);
    scrubber.add(credentials);
    headers['authorization'] = `Basic ${credentials}`;
  }
  const tls = writeTls(step, names);
  return {
    method,
    url,
    headers,
    ...(body !== undefined && { body }),
    ...(response && { response }),
    ...(expectStatus && { expectStatus }),
    ...(tls && { tls }),
  };
}

function writeStepUrl(step: CompiledStep, names: Names, allowed: AllowedOrigins): URL {
  const what = `the URL of step ${step.spec.id}`;
  const url = writeUrl(step.url, names, what);
  for (const [name, value] of listed(step.query, names)) url.searchParams.append(name, value);
  const fault = urlFault(url, allowed);
  if (fault !== undefined) throw notSent(`${what} ${fault}`);
  // The operator's list does not widen what the secrets are sealed for.
  const stray = step.url.decidedBy === 'answer' && hostFault(url, hostsOf(step, names));
  if (stray) throw notSent(`${what} ${stray}`, "Add the host to the step's hosts if it is the provider's.");
  return url;
}

function notSent(message: string, hint?: string): ProviderMisconfigured {
  return new ProviderMisconfigured({ message, reached: false, ...(hint && { hint }) });
}

const accepted = {
  json: 'application/json',
  xml: 'application/xml, text/xml',
  form: 'application/x-www-form-urlencoded, */*',
  text: '*/*',
};

/** Of every request, unless a step says otherwise. */
export function usualHeaders(response: ResponseKind): Record<string, string> {
  // The answer's limit of 64 KB is easier to keep when nothing has to be inflated.
  return { accept: accepted[response], 'accept-encoding': 'identity', 'user-agent': 'token-broker' };
}

/** The hosts that an answer may name in the step's URL. */
export function hostsOf({ hosts }: Pick<CompiledStep, 'hosts'>, names: Names): string[] {
  return hosts.map((template) => {
    const text = template.render(names);
    return URL.canParse(text) ? new URL(text).host : text;
  });
}

/** @throws TemplateFault */
export function writeUrl({ lead, rest }: CompiledUrl, names: Names, what: string): URL {
  if (lead.isAbsent(names))
    throw new TemplateFault(`${what} is missing: ${lead.source} yields nothing with these inputs`);
  const path = rest.render(names);
  const start = lead.render(names);
  // https://host and https://host/ are to give the same URL.
  const text = (path.startsWith('/') ? slashless(start) : start) + path;
  // "https://" alone would take its host from the path.
  if (!URL.canParse(start) || !URL.canParse(text)) throw new TemplateFault(`${what} is not a URL with these inputs`);
  return new URL(text);
}

/** @throws TemplateFault when a value does not fit into a header */
export function writeHeaders(fields: Fields, names: Names): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of present(fields, names)) {
    // Anything else would end the header, or is not written the same way by every HTTP client.
    if (/[^\x20-\x7e\xa0-\xff]/.test(value))
      throw new TemplateFault(`the value of header ${name} has characters that a header cannot hold`);
    headers[name] = value;
  }
  return headers;
}

/** The fields that are there, rendered. */
export function present(fields: Fields, names: Names): [string, string][] {
  return [...fields].flatMap(([name, template]): [string, string][] => {
    const text = template.renderUnlessAbsent(names);
    return text === undefined ? [] : [[name, text]];
  });
}

/** RFC 6749 2.3.1: with `form`, user and password are form-encoded before they are joined, so that a ":" in one is no separator. */
function basic({ user, pass }: NonNullable<CompiledStep['basic']>, encode: 'form' | 'plain', names: Names): string {
  const written = [user, pass].map((template) => {
    const text = template.render(names);
    return encode === 'form' ? formEncoded(text) : text;
  });
  return Buffer.from(written.join(':'), 'utf8').toString('base64');
}

function writeBody({ body }: CompiledStep, names: Names): [type?: string, body?: string] {
  switch (body?.kind) {
    case 'form':
      return ['application/x-www-form-urlencoded', new URLSearchParams(listed(body.form, names)).toString()];
    case 'json':
      return ['application/json', JSON.stringify(writeJson(body.json, names))];
    case 'xml':
      return ['application/xml; charset=utf-8', body.text.render(names)];
    case 'text':
      return ['text/plain; charset=utf-8', body.text.render(names)];
    default:
      return [];
  }
}

/** A text becomes a JSON string, whatever it is: there is none that could change the structure. */
export function writeJson(node: JsonNode, names: Names): unknown {
  if (node instanceof Map) {
    const kept = [...(node as ReadonlyMap<string, JsonNode>)].filter(([, value]) => !isAbsent(value, names));
    return Object.fromEntries(kept.map(([name, value]) => [name, writeJson(value, names)]));
  }
  if (Array.isArray(node)) {
    return (node as readonly JsonNode[])
      .filter((value) => !isAbsent(value, names))
      .map((value) => writeJson(value, names));
  }
  if (!(node instanceof Template)) return node;
  return asJson(node.value(names));
}

/** The authorities that are trusted in place of the public ones, if any are named. @throws TemplateFault */
export function trusted(ca: Template | undefined, names: Names): ClientTls | undefined {
  const pem = ca?.renderUnlessAbsent(names);
  return pem === undefined ? undefined : { ca: restorePem(pem) };
}

/** @throws TemplateFault */
export function secretIn(template: Template | undefined, names: Names): Secret | undefined {
  const text = template?.renderUnlessAbsent(names);
  return text === undefined ? undefined : new Secret(text);
}

/** @throws TemplateFault */
function writeTls({ mtls, ca }: CompiledStep, names: Names): ClientTls | undefined {
  const authorities = trusted(ca, names);
  if (!mtls || mtls.cert.isAbsent(names)) return authorities;
  try {
    const { key } = readPrivateKey(new Secret(mtls.key.render(names)), secretIn(mtls.passphrase, names));
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { ...authorities, cert: restorePem(mtls.cert.render(names)), key: pem };
  } catch (error) {
    if (error instanceof UnusableKey) throw new TemplateFault(`the key of the client certificate ${error.message}`);
    throw error;
  }
}

/** A list or an object, of an answer or of a JSON input, goes in as it is: its texts stay texts. */
function asJson(value: unknown): unknown {
  return isTree(value) || typeof value === 'number' || typeof value === 'boolean' ? value : asText(value);
}

function listed(fields: ListFields, names: Names): [string, string][] {
  return [...fields].flatMap(([name, templates]) =>
    templates
      .filter((template) => !template.isAbsent(names))
      .flatMap((template): [string, string][] => {
        const value = template.value(names);
        const texts = Array.isArray(value) ? value.map(asText) : [template.render(names)];
        return texts.map((text) => [name, text]);
      }),
  );
}

function isAbsent(node: JsonNode, names: Names): boolean {
  return node instanceof Template && node.isAbsent(names);
}
