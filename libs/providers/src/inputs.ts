import { Secret } from '#vault';
import { AllowedOrigins, howToAllow, urlFault } from './address';
import type { InputSpec, ProviderDefinition } from './definition';

/** One thing wrong with a document. */
export interface Fault {
  /** JSON Pointer (RFC 6901) to the place. */
  pointer: string;
  detail: string;
  /** Of the text that it was read from, from 1. */
  line?: number;
}

/** A client's inputs, told apart by the definition, defaults applied. Of use only when there are no faults. */
export interface CheckedInputs {
  faults: Fault[];
  plain: Record<string, string>;
  secret: Record<string, Secret>;
}

const maxInputBytes = 8192;
// Lone surrogates too: they have no UTF-8 form, and encodeURIComponent throws on them.
const unfit = /[\p{Cc}\u2028\u2029\p{Surrogate}]/u;

export function pointer(...parts: readonly (string | number)[]): string {
  return parts.map((part) => `/${String(part).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
}

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
    const value = given[name] instanceof Secret ? given[name].reveal() : given[name];
    const detail = typeof value === 'string' ? valueFault(spec, value, allowed) : 'must be a string';
    if (unmet.length > 0) fault(name, `has no meaning without ${unmet.join(', ')}`);
    if (detail !== undefined) fault(name, detail);
    else if (spec.secret) checked.secret[name] = new Secret(value as string);
    else checked.plain[name] = value as string;
  }
  return checked;
}

function valueFault(spec: InputSpec, value: string, allowed: AllowedOrigins): string | undefined {
  if (Buffer.byteLength(value) > maxInputBytes) return `is longer than ${maxInputBytes} bytes`;
  if (unfit.test(value)) return 'holds a control character, such as a line break or NUL, or broken Unicode';
  if (spec.enum && !spec.enum.includes(value)) return `must be one of ${spec.enum.join(', ')}`;
  return spec.format === 'url' ? urlInputFault(spec, value, allowed) : undefined;
}

function urlInputFault(spec: InputSpec, value: string, allowed: AllowedOrigins): string | undefined {
  // Stricter than `new URL`, which forgives spaces and backslashes: the text goes into the token URL as it stands.
  if (!/^https?:\/\/[^\s\\?#]+$/i.test(value) || !URL.canParse(value)) {
    return 'must be an absolute URL (https://host or https://host/path), without query, fragment, spaces or backslashes';
  }
  const url = new URL(value);
  const fault = urlFault(url, allowed);
  if (fault !== undefined || !spec.hosts || allowed.has(url)) return fault;
  if (
    spec.hosts.some((host) => (host.startsWith('*.') ? url.hostname.endsWith(host.slice(1)) : url.hostname === host))
  ) {
    return undefined;
  }
  return `must name one of the hosts ${spec.hosts.join(', ')}; ${howToAllow(url)}`;
}
