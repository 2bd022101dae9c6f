import { providerErrorCodes } from '../failures/errors';
import { inputFormats, keyEncodings, lifeUnits, methods, responseKinds, timeFormats } from './definition';

const text = { type: 'string', maxLength: 4096 };
const line = { type: 'string', maxLength: 1000 };
const template = { type: 'string', minLength: 1, maxLength: 4096 };
const name = '^[a-z][a-z0-9_]{0,63}$';
const wholeSeconds = { type: 'integer', minimum: 1, maximum: 315_360_000 };
/** It may be empty: some endpoints want a field that is there and says nothing. */
const scalar = { type: ['string', 'number', 'boolean'], maxLength: 4096 };
const host = { type: 'string', pattern: '^(\\*\\.)?[a-z0-9-]+(\\.[a-z0-9-]+)*(:[0-9]{1,5})?$', maxLength: 260 };

const hostOfInput = { type: 'string', pattern: '^\\{\\{\\s*inputs\\.[a-z][a-z0-9_]{0,63}\\s*\\}\\}$' };

/** What an answer may name. */
const decidableHosts = { type: 'array', minItems: 1, maxItems: 64, items: { anyOf: [host, hostOfInput] } };

const templates = { type: 'object', maxProperties: 64, additionalProperties: scalar };
const namedTemplates = { ...templates, propertyNames: { pattern: name } };
const lists = {
  ...templates,
  additionalProperties: { anyOf: [scalar, { type: 'array', items: scalar, minItems: 1, maxItems: 64 }] },
};

const fieldName = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

const framing = 'host|content-length|te|upgrade|expect|connection|keep-alive|transfer-encoding|trailer';
const anyCase = (words: string) => words.replace(/[a-z]/g, (char) => `[${char.toUpperCase()}${char}]`);

/** RFC 9110 5.1 field names, without those that frame the message: they are the HTTP client's own. */
const headerTemplates = {
  ...templates,
  propertyNames: { pattern: fieldName, not: { pattern: `^(${anyCase(framing)})$` } },
};

function object(properties: Record<string, unknown>, required: string[] = []): Record<string, unknown> {
  return { type: 'object', additionalProperties: false, properties, required };
}

const input = object({
  title: line,
  description: line,
  secret: { type: 'boolean' },
  optional: { type: 'boolean' },
  default: line,
  enum: { type: 'array', items: line, minItems: 1 },
  suggest: { type: 'array', items: line },
  format: { enum: inputFormats },
  hosts: { type: 'array', minItems: 1, maxItems: 64, items: host },
  needs: { type: 'array', items: line },
});

const tests = ['equals', 'not_equals', 'in', 'not_in', 'contains', 'exists', 'absent', 'non_empty'];

const condition = {
  ...object({
    status: {
      anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'integer' }, minItems: 1 }],
    },
    path: line,
    header: { type: 'string', pattern: fieldName, maxLength: 100 },
    equals: scalar,
    not_equals: scalar,
    in: { type: 'array', items: scalar, minItems: 1 },
    not_in: { type: 'array', items: scalar, minItems: 1 },
    contains: template,
    exists: { const: true },
    absent: { const: true },
    non_empty: { const: true },
  }),
  anyOf: [{ required: ['status'] }, { required: ['path'] }, { required: ['header'] }, { required: ['contains'] }],
  // What is looked at is asked something, and without it there is nothing to ask.
  dependentSchemas: {
    path: { anyOf: tests.map((test) => ({ required: [test] })), not: { required: ['header'] } },
    header: { anyOf: tests.map((test) => ({ required: [test] })) },
    ...Object.fromEntries(
      tests
        .filter((test) => test !== 'contains')
        .map((test) => [test, { anyOf: [{ required: ['path'] }, { required: ['header'] }] }]),
    ),
  },
};

const conditions = { type: 'array', items: condition, maxItems: 32 };
const jsonObject = { type: 'object', maxProperties: 64 };

const step = object(
  {
    id: { type: 'string', pattern: name },
    method: { enum: methods },
    url: template,
    hosts: decidableHosts,
    query: lists,
    secrets_in_url: { type: 'boolean' },
    headers: headerTemplates,
    basic: object({ user: template, pass: text, encode: { enum: ['form', 'plain'] } }, ['user', 'pass']),
    body: {
      ...object({ form: lists, json: { type: ['object', 'array'] }, xml: template, text: template }),
      oneOf: ['form', 'json', 'xml', 'text'].map((kind) => ({ required: [kind] })),
    },
    mtls: object({ cert: template, key: template, passphrase: template }, ['cert', 'key']),
    ca: template,
    response: { enum: responseKinds },
    expect_status: { type: 'array', minItems: 1, maxItems: 16, items: { type: 'integer', minimum: 300, maximum: 499 } },
    fail_if: conditions,
  },
  ['id', 'method', 'url'],
);

const assertion = object(
  {
    alg: template,
    key: template,
    key_encoding: { enum: keyEncodings },
    passphrase: template,
    header: jsonObject,
    claims: jsonObject,
    ttl_s: wholeSeconds,
  },
  ['key', 'claims', 'ttl_s'],
);

const expiryKinds = ['in', 'at', 'jwt_exp', 'fixed_s', 'never'];

/** One object per kind of expiry, told apart by its one required field, so that a fault points at the right place. */
const expiry = {
  ...object({
    in: template,
    unit: { enum: lifeUnits },
    never_if: { type: 'array', items: scalar, minItems: 1, maxItems: 8 },
    at: template,
    format: { enum: timeFormats },
    jwt_exp: { const: true },
    fixed_s: wholeSeconds,
    never: { const: true },
  }),
  oneOf: expiryKinds.map((kind) => ({ required: [kind] })),
  dependentRequired: { unit: ['in'], never_if: ['in'], format: ['at'] },
};

const errorRule = object(
  {
    when: condition,
    class: { enum: providerErrorCodes },
    message: text,
    hint: text,
  },
  ['when', 'class'],
);

/** JSON Schema 2020-12 of a provider definition; `definition.ts` has the same as types, and the words of each choice. */
export const definitionSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  ...object(
    {
      id: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,62}$' },
      title: line,
      docs: { type: 'string', pattern: '^https://', maxLength: 1000 },
      inputs: {
        type: 'object',
        maxProperties: 64,
        // Names of every object's own, which Nest takes out of a client's inputs.
        propertyNames: { pattern: name, not: { enum: ['constructor', 'prototype'] } },
        additionalProperties: input,
      },
      either: {
        type: 'array',
        maxItems: 8,
        items: { type: 'array', items: line, minItems: 2, maxItems: 8 },
      },
      values: namedTemplates,
      assertions: {
        type: 'object',
        maxProperties: 8,
        propertyNames: { pattern: name },
        additionalProperties: assertion,
      },
      discovery: object({ issuer: template, ca: template }, ['issuer']),
      steps: { type: 'array', maxItems: 5, items: step },
      token: object(
        {
          value: template,
          type: template,
          scope: template,
          outputs: namedTemplates,
          expiry: { type: 'array', minItems: 1, maxItems: 8, items: expiry },
        },
        ['value', 'expiry'],
      ),
      present: object({
        headers: headerTemplates,
        query: templates,
        cookies: { ...templates, propertyNames: { pattern: fieldName } },
        override: { type: 'array', maxItems: 64, items: { type: 'string', pattern: fieldName, maxLength: 100 } },
      }),
      api: object({ base_url: template, hosts: decidableHosts }, ['base_url']),
      errors: { type: 'array', maxItems: 64, items: errorRule },
      request_id_header: { type: 'string', pattern: '^[A-Za-z0-9-]{1,100}$' },
      renew: object({
        max_ttl_s: wholeSeconds,
        sticky_window_s: { ...wholeSeconds, minimum: 0 },
        single_live: { type: 'boolean' },
        min_interval_s: wholeSeconds,
        quota: object(
          {
            requests: { type: 'integer', minimum: 1, maximum: 100_000 },
            per_s: { type: 'integer', minimum: 1, maximum: 86_400 },
          },
          ['requests', 'per_s'],
        ),
        invalid_when: conditions,
      }),
    },
    ['id', 'inputs', 'token', 'present'],
  ),
};
