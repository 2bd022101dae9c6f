import { filters as liquidFilters, Liquid } from 'liquidjs';
import {
  certificateThumbprint,
  type DigestAlgorithm,
  digest,
  hmac,
  publicKeySha256,
  Secret,
  sign,
  type SignatureAlgorithm,
  UnusableKey,
} from '#vault';
import { valueAt } from './path';
import { asBytes, asText, formEncoded, isTree, maxTextChars, TemplateFault } from './text';

/** Signatures over a text; JWTs are `assertions`. */
const signatureAlgorithms: Record<string, SignatureAlgorithm> = {
  sign_rs256: 'RS256',
  sign_rs512: 'RS512',
  sign_ps256: 'PS256',
  sign_ed25519: 'Ed25519',
};
const digestAlgorithms = ['md5', 'sha1', 'sha256', 'sha512'] satisfies DigestAlgorithm[];
const decoder = new TextDecoder('utf-8', { fatal: true });

type Filter = (...given: any[]) => unknown;

/** Those of Liquid's own filters that are part of the language; they see texts and numbers only. */
const fromLiquid = {
  text: ['append', 'prepend', 'replace', 'upcase', 'downcase', 'strip', 'slice', 'split'],
  number: ['plus', 'minus', 'times', 'divided_by', 'floor'],
} as const;

const own: Record<string, Filter> = {
  first: (list) => item(list, 0),
  last: (list) => item(list, -1),
  where: (list, name, value) => parts(list).filter((one) => asText(valueAt(one, [asText(name)])) === asText(value)),
  map: (list, name) => parts(list).map((one) => valueAt(one, [asText(name)])),
  default: (value, other) => ((value ?? '') === '' ? other : value),
  json: (value) => JSON.stringify(isTree(value) ? value : asText(value)),
  number: (value) => asNumber(value),
  base64: (value) => Buffer.from(asBytes(value)).toString('base64'),
  base64url: (value) => Buffer.from(asBytes(value)).toString('base64url'),
  base64_decode: (value) => Buffer.from(asText(value), 'base64'),
  text: (value) => decoder.decode(asBytes(value)),
  hex: (value) => Buffer.from(asBytes(value)).toString('hex'),
  hex_decode: (value) => Buffer.from(asText(value), 'hex'),
  url_encode: (value) => encodeURIComponent(asText(value)),
  form_encode: (value) => formEncoded(asText(value)),
  public_key_sha256: (value, passphrase) => publicKeySha256(new Secret(asText(value)), secretOf(passphrase)),
  cert_sha1: (value) => certificateThumbprint(asText(value), 'sha1'),
  cert_sha256: (value) => certificateThumbprint(asText(value), 'sha256'),
};
for (const [name, algorithm] of Object.entries(signatureAlgorithms)) {
  own[name] = (value, key, passphrase) => sign(algorithm, asBytes(value), secretOf(key)!, secretOf(passphrase));
}
for (const algorithm of digestAlgorithms) {
  own[algorithm] = (value) => digest(algorithm, asBytes(value));
  own[`hmac_${algorithm}`] = (value, key) => hmac(algorithm, asBytes(key), asBytes(value));
}

const digests = /^(sign_\w+|md5|sha1|sha256|sha512|hmac_\w+|public_key_sha256|cert_sha1|cert_sha256)$/;

/** Whether what went into the filter cannot be told from what comes out of it. */
export function isOneWay(name: string): boolean {
  return digests.test(name);
}

/** How many arguments a filter takes, at least and at most: Liquid itself lets a forgotten one pass. */
const argumentCounts: Record<string, [least: number, most: number]> = {
  ...Object.fromEntries(['append', 'prepend', 'split', 'default', 'date'].map((name) => [name, [1, 1]])),
  ...Object.fromEntries(['plus', 'minus', 'times', 'divided_by'].map((name) => [name, [1, 1]])),
  ...Object.fromEntries(digestAlgorithms.map((name) => [`hmac_${name}`, [1, 1]])),
  replace: [2, 2],
  where: [2, 2],
  map: [1, 1],
  slice: [1, 2],
  public_key_sha256: [0, 1],
  ...Object.fromEntries(Object.keys(signatureAlgorithms).map((name) => [name, [1, 2]])),
};

const filterNames = [...fromLiquid.text, ...fromLiquid.number, 'date', ...Object.keys(own)].sort();

/** What is wrong with a filter's use, if anything. */
export function filterFault(name: string, given: readonly string[]): string | undefined {
  const argumentCount = given.length;
  if (!filterNames.includes(name)) return `"${name}" is not a filter; known are ${filterNames.join(', ')}`;
  const [least, most] = argumentCounts[name] ?? [0, 0];
  if (name === 'date' && /^["'][^%]*$/.test(given[0] ?? ''))
    return `date: ${given[0]} has no part such as %Y in it (strftime)`;
  if (argumentCount >= least && argumentCount <= most) return undefined;
  const wanted = least === most ? `${least}` : `${least} or ${most}`;
  return `the filter "${name}" takes ${wanted} argument${wanted === '1' ? '' : 's'}, and has ${argumentCount}`;
}

/** Liquid with nothing in it but our filters: no tags (so no loops, files or assignments), no prototypes. */
export const liquid = new Liquid({
  ownPropertyOnly: true,
  strictFilters: true,
  timezoneOffset: 0,
  parseLimit: 10_000,
  renderLimit: 1_000,
  memoryLimit: 1_000_000,
});
for (const registry of [liquid.filters, liquid.tags]) {
  for (const name of Object.keys(registry)) delete registry[name];
  // Liquid looks names up with [], which would find `constructor` as a filter.
  Object.setPrototypeOf(registry, null);
}
const builtIn = liquidFilters as unknown as Record<string, Filter>;
for (const name of fromLiquid.text)
  register(name, builtIn[name]!, (value) => (isNumber(value) ? value : asText(value)));
for (const name of fromLiquid.number) register(name, builtIn[name]!, asNumber);
register('date', builtIn['date']!, (value, index) => (index === 0 ? asNumber(value) : asText(value)));
for (const [name, filter] of Object.entries(own)) register(name, filter, (value) => value);

/** @param convert the value (index 0) and each argument, before the filter sees them */
function register(name: string, filter: Filter, convert: (value: unknown, index: number) => unknown): void {
  liquid.registerFilter(name, function (this: unknown, value: unknown, ...given: unknown[]) {
    try {
      const result = filter.call(this, ...[value, ...given].map(convert));
      if (typeof result === 'string' && result.length > maxTextChars) throw new TemplateFault('is too long');
      return result;
    } catch (error) {
      // The library's own errors may quote values: ours never do.
      if (error instanceof TemplateFault) throw error;
      if (error instanceof UnusableKey) throw new TemplateFault(`${name}: the key or certificate ${error.message}`);
      throw new TemplateFault(`the filter "${name}" cannot be applied to this value`);
    }
  });
}

function secretOf(value: unknown): Secret | undefined {
  return (value ?? '') === '' ? undefined : new Secret(asText(value));
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function asNumber(value: unknown): number {
  const text = asText(value).trim();
  const number = text === '' ? NaN : Number(text);
  if (!Number.isFinite(number)) throw new TemplateFault('a number is needed, and the value is none');
  return number;
}

/** The objects of a list; XML has one alone where there is but one. */
function parts(list: unknown): unknown[] {
  return (Array.isArray(list) ? list : [list]).filter((one) => typeof one === 'object' && one !== null);
}

function item(list: unknown, index: number): unknown {
  return Array.isArray(list) ? list.at(index) : list;
}
