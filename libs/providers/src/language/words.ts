const types: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list ([…])',
  object: 'a mapping (name: value)',
};

/** That something is not of one of these types of JSON Schema, and what YAML often makes of what was meant. */
export function inWords(expected: readonly string[], data: unknown): string {
  const names = expected.map((type) => types[type] ?? type);
  const must = `must be ${names.length > 2 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names.join(' or ')}`;
  if (data === null) return `${must}, and is empty`;
  const isMapping = typeof data === 'object' && !Array.isArray(data);
  return isMapping && expected.includes('string') ? `${must}; a text that begins with {{ has to be in quotes` : must;
}

const patterns: Record<string, string> = {
  '^[a-z0-9][a-z0-9-]{0,62}$': 'must be 1 to 63 of a-z 0-9 -, the first a letter or a digit',
  '^[a-z][a-z0-9_]{0,63}$': 'must be 1 to 64 of a-z 0-9 _, the first a letter',
  '^https://': 'must begin with https://',
};

export function patternFault(pattern: string): string {
  return patterns[pattern] ?? `must match ${pattern}`;
}

/** Why a name cannot stand where `schema` is that of the names. */
export function nameFault(name: string, schema: unknown): string {
  if (name.includes('{{') || name.includes('[object')) return 'is a name, and names hold no templates';
  const { pattern = '', not } = (schema ?? {}) as { pattern?: string; not?: { pattern?: string } };
  if (not?.pattern && new RegExp(not.pattern).test(name)) return 'is set by the broker itself';
  return Object.hasOwn(patterns, pattern)
    ? `is not a name that can be used here: it ${patterns[pattern]}`
    : 'is not a name that can be used here';
}

/** What people who know the standards, or other tools, may have meant. */
const meant: Record<string, string> = {
  token_url: 'a step has a url',
  url: 'a step has a url',
  scopes: 'a scope is a field of the body of a step',
  grant_type: 'it is a field of the body of a step: body: { form: { grant_type: … } }',
  client_id: 'an input; it is declared under inputs',
  client_secret: 'an input; it is declared under inputs with secret: true',
  form: 'it belongs under body',
  json: 'it belongs under body',
  expires_in: 'it belongs under expiry: [{ in: … }]',
  ttl: 'it belongs under expiry: [{ fixed_s: … }]',
  tls: 'a client certificate is mtls: { cert, key }; an authority is ca',
  auth: 'HTTP Basic is basic: { user, pass }; other credentials are headers or fields of the body',
};

const meantOfInputs: Record<string, string> = {
  required: 'an input has to be given unless it says optional: true',
  type: 'an input is a text; what kind of text, format says',
};

const meantInErrors: Record<string, string> = Object.fromEntries(
  ['status', 'path', 'header', 'equals', 'not_equals', 'in', 'not_in', 'contains', 'exists', 'absent'].map((test) => [
    test,
    'it belongs under when: { … }',
  ]),
);

/** What is likely meant by a name that is not one of the `known`, and else what those are. */
export function likely(name: string, at: string, known: readonly string[]): string {
  const hints = at.startsWith('/inputs') ? meantOfInputs : /^\/errors\/\d+$/.test(at) ? meantInErrors : meant;
  return Object.hasOwn(hints, name) ? hints[name]! : `known are ${known.join(', ')}`;
}
