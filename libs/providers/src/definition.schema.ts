const text = { type: 'string', maxLength: 4096 };
const line = { type: 'string', maxLength: 1000 };
const template = { type: 'string', minLength: 1, maxLength: 4096 };
const name = '^[a-z][a-z0-9_]{0,63}$';
const wholeSeconds = { type: 'integer', minimum: 1 };

const templates = { type: 'object', maxProperties: 64, additionalProperties: template };

/** RFC 9110 5.1 field names, without those that frame the message: they are the HTTP client's own. */
const headerTemplates = {
  ...templates,
  propertyNames: {
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    not: {
      pattern:
        '^([Hh][Oo][Ss][Tt]|[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[Ll][Ee][Nn][Gg][Tt][Hh]|[Tt][Ee]|[Uu][Pp][Gg][Rr][Aa][Dd][Ee]|[Ee][Xx][Pp][Ee][Cc][Tt]|[Cc][Oo][Nn][Nn][Ee][Cc][Tt][Ii][Oo][Nn]|[Kk][Ee][Ee][Pp]-[Aa][Ll][Ii][Vv][Ee]|[Tt][Rr][Aa][Nn][Ss][Ff][Ee][Rr]-[Ee][Nn][Cc][Oo][Dd][Ii][Nn][Gg])$',
    },
  },
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
  format: { enum: ['url'] },
  hosts: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^(\\*\\.)?[a-z0-9-]+(\\.[a-z0-9-]+)*$' } },
  needs: { type: 'array', items: line },
});

const condition = {
  ...object({
    status: {
      anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'integer' }, minItems: 1 }],
    },
    path: line,
    equals: { type: ['string', 'number', 'boolean'] },
    in: { type: 'array', items: { type: ['string', 'number'] }, minItems: 1 },
    exists: { const: true },
    absent: { const: true },
    non_empty: { const: true },
  }),
  anyOf: [{ required: ['status'] }, { required: ['path'] }],
  // A path asks something of what it finds, and without a path there is nothing to ask it of.
  dependentSchemas: {
    path: { anyOf: ['equals', 'in', 'exists', 'absent', 'non_empty'].map((test) => ({ required: [test] })) },
  },
  dependentRequired: {
    equals: ['path'],
    in: ['path'],
    exists: ['path'],
    absent: ['path'],
    non_empty: ['path'],
  },
};

const conditions = { type: 'array', items: condition, maxItems: 32 };

const step = object(
  {
    id: { type: 'string', pattern: name },
    method: { enum: ['GET', 'POST', 'PUT'] },
    url: template,
    query: templates,
    headers: headerTemplates,
    basic: object({ user: template, pass: template, encode: { enum: ['form', 'plain'] } }, ['user', 'pass']),
    body: {
      type: 'object',
      minProperties: 1,
      maxProperties: 1,
      additionalProperties: false,
      properties: { form: templates, json: { type: ['object', 'array'] } },
    },
    fail_if: conditions,
  },
  ['id', 'method', 'url'],
);

/** One object per kind of expiry, told apart by its one required field, so that a fault points at the right place. */
const expiry = {
  ...object({
    in: template,
    unit: { enum: ['s', 'ms', 'min', 'auto'] },
    jwt_exp: { const: true },
    fixed_s: wholeSeconds,
  }),
  oneOf: [{ required: ['in'] }, { required: ['jwt_exp'] }, { required: ['fixed_s'] }],
  dependentRequired: { unit: ['in'] },
};

/** JSON Schema 2020-12 of a provider definition; `definition.ts` has the same as types. */
export const definitionSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  ...object(
    {
      id: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,62}$' },
      title: line,
      docs: { type: 'string', pattern: '^https://', maxLength: 1000 },
      inputs: { type: 'object', maxProperties: 64, propertyNames: { pattern: name }, additionalProperties: input },
      steps: { type: 'array', minItems: 1, maxItems: 5, items: step },
      token: object(
        {
          value: template,
          type: template,
          scope: template,
          expiry: { type: 'array', minItems: 1, maxItems: 8, items: expiry },
        },
        ['value', 'expiry'],
      ),
      present: object({ headers: headerTemplates }),
      errors: {
        type: 'array',
        maxItems: 64,
        items: object(
          {
            when: condition,
            class: { enum: ['credentials_refused', 'throttled', 'provider_unavailable', 'provider_misconfigured'] },
            message: text,
            hint: text,
          },
          ['when', 'class'],
        ),
      },
      request_id_header: { type: 'string', pattern: '^[A-Za-z0-9-]{1,100}$' },
      renew: object({ max_ttl_s: wholeSeconds, invalid_when: conditions }),
    },
    ['id', 'inputs', 'steps', 'token', 'present'],
  ),
};
