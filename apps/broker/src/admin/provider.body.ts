import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { InvalidDefinition } from '#providers';
import { stringify } from 'yaml';
import { invalid } from '../problem';

const yaml = 'application/yaml'; // RFC 9512
const takesYaml = /^\/v1\/providers(\/|$)/;
/** Deeper than any definition, and shallow enough for whatever walks through it. */
const maxDepth = 64;

/** A definition may be sent as it is; the other routes take JSON and nothing else. */
export function acceptYaml(fastify: FastifyInstance): void {
  fastify.addContentTypeParser(yaml, { parseAs: 'string' }, (request, body, done) => {
    if (takesYaml.test(request.routeOptions.url ?? '')) return done(null, { source: body });
    return done(Object.assign(new Error(`${yaml} is not taken here`), { statusCode: 415 }));
  });
}

const asText = { type: 'string', description: `The definition as YAML; with ${yaml} it is the body itself.` };
const asObject = { type: 'object', additionalProperties: true, description: 'The definition.' };

/** A body with a definition in it, for OpenAPI. */
export const HasDefinition = (): MethodDecorator =>
  applyDecorators(
    ApiConsumes('application/json', yaml),
    ApiBody({
      schema: {
        oneOf: [
          { type: 'object', required: ['source'], properties: { source: asText } },
          { type: 'object', required: ['definition'], properties: { definition: asObject } },
          asText,
        ],
      },
    }),
  );

/**
 * The body as an object of these properties. By hand, since class-transformer walks into what it gets, and takes a
 * property called `constructor` for the constructor.
 */
export function membersOf(body: unknown, known: readonly string[]): Record<string, unknown> {
  if (!isObject(body)) throw invalid('', 'the body must be an object');
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`/${unknown}`, `there is no property "${unknown}"`);
  return body;
}

/** The text of the definition that a body consists of. */
export function sourceOf(body: unknown): string {
  const isBare = isObject(body) && 'id' in body && !('source' in body || 'definition' in body);
  if (isBare) throw invalid('', 'a definition in JSON goes into { "definition": … }, or is sent as application/yaml');
  return sourceIn(membersOf(body, ['source', 'definition']));
}

/**
 * The text of the definition that was sent: `source` as it is, `definition` written as YAML.
 * @throws InvalidDefinition where it can be neither stored nor read
 */
export function sourceIn({ source, definition }: Record<string, unknown>): string {
  if ((source === undefined) === (definition === undefined)) {
    throw invalid('', 'send either "source", the definition as YAML, or "definition", an object');
  }
  if (source !== undefined && typeof source !== 'string') throw invalid('/source', 'source must be a string');
  if (source !== undefined) return fit(source);
  if (!isObject(definition)) throw invalid('/definition', 'definition must be an object');
  if (isDeeper(definition, maxDepth)) throw unreadable(`is nested more than ${maxDepth} deep`);
  return fit(stringify(definition));
}

/** PostgreSQL stores no NUL, and half a surrogate pair has no UTF-8 form. U+FFFD is what bytes that were not UTF-8 became. */
function fit(source: string): string {
  if (source.includes('\ufffd')) throw unreadable('is not UTF-8, or holds the mark of text that once was not (U+FFFD)');
  if (/[\0\p{Surrogate}]/u.test(source)) throw unreadable('holds NUL or broken Unicode');
  return source;
}

function unreadable(detail: string): InvalidDefinition {
  return new InvalidDefinition([{ pointer: '', detail }]);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
