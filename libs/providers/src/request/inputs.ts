import { readCertificate, readPrivateKey, Secret, UnusableKey } from '#vault';
import { jsonIn } from '../json';
import type { InputSpec, ProviderDefinition } from '../language/definition';
import { type Fault, pointer } from '../language/fault';
import { AllowedOrigins, hostFault, howToAllow, urlFault } from '../network/address';

/** A client's inputs, told apart by the definition, defaults applied. Of use only when there are no faults. */
export interface CheckedInputs {
  faults: Fault[];
  plain: Record<string, string>;
  secret: Record<string, Secret>;
}

const maxInputBytes = 8192;
/** A chain of certificates, or a service account with its key. */
const maxDocumentBytes = 32_768;
// Lone surrogates too: they have no UTF-8 form, and encodeURIComponent throws on them.
const unfit = /[\p{Cc}\u2028\u2029\p{Surrogate}]/u;
const unfitInDocument = /(?![\r\n\t])[\p{Cc}\p{Surrogate}]/u;

/**
 * Checks what was given for a client against its provider's definition and reports every fault at once. No fault holds
 * the value of a secret. Null, undefined and "" count as not given.
 */
export function checkInputs(
  definition: ProviderDefinition,
  given: Readonly<Record<string, unknown>>,
  options: { allowedOrigins: readonly string[] },
): CheckedInputs {
  const allowed = new AllowedOrigins(options.allowedOrigins);
  const checked: CheckedInputs = { faults: [], plain: {}, secret: {} };
  const fault = (name: string, detail: string) => checked.faults.push({ pointer: pointer('inputs', name), detail });
  const isGiven = (name: string) => Object.hasOwn(given, name) && given[name] !== '' && (given[name] ?? null) !== null;

  for (const name of Object.keys(given)) {
    if (Object.hasOwn(definition.inputs, name)) continue;
    fault(name, `is not an input of ${definition.id}; its inputs are ${Object.keys(definition.inputs).join(', ')}`);
  }
  for (const [name, spec] of Object.entries(definition.inputs)) {
    const unmet = spec.needs?.filter((other) => !isGiven(other)) ?? [];
    if (!isGiven(name)) {
      if (spec.default !== undefined && unmet.length === 0) checked.plain[name] = spec.default;
      else if (spec.default === undefined && !spec.optional) fault(name, 'is missing');
      continue;
    }
    const value = textOf(spec, given[name]);
    const detail = value === undefined ? notText(spec) : valueFault(spec, value, allowed);
    if (unmet.length > 0) fault(name, `has no meaning without ${unmet.join(', ')}`);
    if (detail !== undefined) fault(name, detail);
    else if (spec.secret) checked.secret[name] = new Secret(value!);
    else checked.plain[name] = value!;
  }
  for (const names of definition.either ?? []) {
    if (!names.some(isGiven)) fault(names[0]!, `is missing: one of ${names.join(', ')} has to be given`);
  }
  return checked;
}

/** A JSON input may be given as JSON itself. */
function textOf(spec: InputSpec, value: unknown): string | undefined {
  if (value instanceof Secret) return value.reveal();
  if (typeof value === 'string') return value;
  const isDocument = spec.format === 'json' || spec.format === 'private_key';
  return isDocument && typeof value === 'object' ? written(value) : undefined;
}

/** Undefined where it is nested too deeply to be written. */
function written(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function notText({ format }: InputSpec): string {
  const takesJson = format === 'json' || format === 'private_key';
  return takesJson ? 'must be a string or a JSON object that is not nested deeply' : 'must be a string';
}

function valueFault(spec: InputSpec, value: string, allowed: AllowedOrigins): string | undefined {
  const isDocument = spec.format === 'private_key' || spec.format === 'certificate' || spec.format === 'json';
  const limit = isDocument ? maxDocumentBytes : maxInputBytes;
  if (Buffer.byteLength(value) > limit) return `is longer than ${limit} bytes`;
  if ((isDocument ? unfitInDocument : unfit).test(value)) {
    return 'holds a control character, such as a line break or NUL, or broken Unicode';
  }
  if (spec.enum && !spec.enum.includes(value)) return `must be one of ${spec.enum.join(', ')}`;
  switch (spec.format) {
    case 'url':
      return urlInputFault(spec, value, allowed);
    case 'host':
      return hostInputFault(spec, value, allowed);
    case 'path':
      return pathInputFault(value);
    case 'private_key':
      return keyFault(() => readPrivateKey(new Secret(value), new Secret('any')));
    case 'certificate':
      return keyFault(() => readCertificate(value));
    case 'json':
      return isJsonObject(value) ? undefined : 'must be a JSON object, such as {"client_email": …}';
    default:
      return undefined;
  }
}

function pathInputFault(value: string): string | undefined {
  const segments = value.split('/');
  const fits = segments.every((segment) => /^[\w.~-]+$/.test(segment) && segment !== '.' && segment !== '..');
  return fits ? undefined : 'must be segments of A-Z a-z 0-9 . _ ~ -, with "/" between them, such as team/approle';
}

/** Whether an encrypted key opens is known only with its passphrase, which is another input. */
function keyFault(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof UnusableKey)) throw error;
    return /passphrase/.test(error.message) ? undefined : error.message;
  }
}

function isJsonObject(text: string): boolean {
  const value = jsonIn(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function urlInputFault(spec: InputSpec, value: string, allowed: AllowedOrigins): string | undefined {
  // Stricter than `new URL`, which forgives spaces and backslashes: the text goes into the token URL as it stands.
  if (!/^https?:\/\/[^\s\\?#]+$/i.test(value) || !URL.canParse(value)) {
    return 'must be an absolute URL (https://host or https://host/path), without query, fragment, spaces or backslashes';
  }
  const url = new URL(value);
  return urlFault(url, allowed) ?? foreignFault(url, spec.hosts, allowed);
}

function hostInputFault(spec: InputSpec, value: string, allowed: AllowedOrigins): string | undefined {
  const isHost = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$|^\[[0-9a-f:.]+\](:\d{1,5})?$/i.test(value);
  if (!isHost || !URL.canParse(`https://${value}`)) {
    return 'must be a host such as acme.example or acme.example:8443, without https:// and without a path';
  }
  const url = new URL(`https://${value}`);
  return urlFault(url, allowed) ?? foreignFault(url, spec.hosts, allowed);
}

/** The definition's hosts; the operator may allow others for a client. */
function foreignFault(url: URL, hosts: readonly string[] | undefined, allowed: AllowedOrigins): string | undefined {
  const fault = hosts && !allowed.has(url) ? hostFault(url, hosts) : undefined;
  return fault && `${fault}; ${howToAllow(url)}`;
}
