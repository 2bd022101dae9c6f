import type { FastifySchemaValidationError } from 'fastify/types/schema';
import { resourceShapes, schemaOf, tokenShapes } from './mode-catalogue';

export const tokenModesSchema = schemaOf(tokenShapes);
export const resourceModesSchema = schemaOf(resourceShapes);

export const clientSchema = {
  type: 'object',
  properties: {
    secret: { type: 'string', minLength: 1 },
    ttl_seconds: { type: 'number', exclusiveMinimum: 0 },
    org_id: { type: 'integer' },
    modes: tokenModesSchema,
    resource_modes: resourceModesSchema,
  },
  additionalProperties: false,
};

export const inspectSchema = {
  type: 'object',
  properties: { token: { type: 'string' }, at: { type: 'number' } },
  required: ['token'],
  additionalProperties: false,
};

export const clockSchema = {
  type: 'object',
  properties: { offset_seconds: { type: 'number' }, advance_seconds: { type: 'number' } },
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
};

/** Ajv as the control API needs it: a typo is an error, never silently dropped, and the error can name what exists. */
export const ajvOptions = { removeAdditional: false, coerceTypes: false, useDefaults: false, verbose: true } as const;

/** One fault in words; `verbose` above is what puts the parent schema and the allowed values at hand. */
export function explain(errors: FastifySchemaValidationError[]): Error {
  // The `if` keyword reports beside the fault that it merely led to.
  const fault = (errors.find((error) => error.keyword !== 'if') ?? errors[0]) as FastifySchemaValidationError & {
    parentSchema?: { properties?: object };
  };
  const place = fault.instancePath === '' ? 'the body' : fault.instancePath;
  if (fault.keyword === 'additionalProperties') {
    const known = Object.keys(fault.parentSchema?.properties ?? {}).join(', ');
    return new Error(`${place} has no "${String(fault.params['additionalProperty'])}"; it knows: ${known}`);
  }
  const allowed = fault.params['allowedValues'];
  if (Array.isArray(allowed)) return new Error(`${place} must be one of ${allowed.join(', ')}`);
  return new Error(`${place} ${fault.message ?? 'is not valid'}`);
}
