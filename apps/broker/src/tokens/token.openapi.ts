import type { OpenAPIObject } from '@nestjs/swagger';
import { problemContent } from '../problem.openapi';

/** How `token.route.ts` is described. */
export const tokenRoute: NonNullable<OpenAPIObject['paths'][string]['get']> = {
  operationId: 'getToken',
  summary: 'A token that is valid now, ready to send.',
  tags: ['tokens'],
  security: [{ bearer: [] }],
  parameters: [
    { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
    {
      name: 'min_ttl',
      in: 'query',
      schema: { type: 'integer', minimum: 0, maximum: 86_400, default: 0 },
      description:
        "Seconds that the token should last at least; honoured up to 90 % of the token's life. When the provider gives no newer one, one that is still good is served all the same.",
    },
    {
      name: 'wait',
      in: 'query',
      schema: { type: 'integer', minimum: 1, maximum: 60 },
      description: 'With If-None-Match: seconds for which an answer 304 is held back, until there is another token.',
    },
    {
      name: 'If-None-Match',
      in: 'header',
      schema: { type: 'string' },
      description: 'The ETag of the token that the caller has.',
    },
  ],
  responses: {
    '200': {
      description: 'The token.',
      headers: {
        ETag: { schema: { type: 'string' }, description: 'Which token it is; opaque.' },
        'Cache-Control': { schema: { type: 'string', enum: ['no-store'] } },
      },
      content: { 'application/json': { schema: { $ref: '#/components/schemas/ServedToken' } } },
    },
    '304': { description: 'It is still the token that the caller has.' },
    '401': { description: 'The key is missing, unknown, expired or revoked.', content: problemContent },
    '404': { description: 'There is no such client, or it is not granted to this service.', content: problemContent },
    '409': { description: 'The client is disabled.', content: problemContent },
    '503': {
      description: 'There is no token to serve now; Retry-After says when to ask again, `reason` and `hint` why.',
      content: problemContent,
    },
  },
};

export const servedTokenSchema = {
  type: 'object',
  required: ['client', 'access_token', 'token_type', 'expires_in', 'expires_at', 'headers'],
  properties: {
    client: { type: 'string' },
    access_token: { type: 'string' },
    token_type: { type: 'string', example: 'Bearer' },
    expires_in: { type: 'integer', description: 'Whole seconds for which it may be used.' },
    expires_at: { type: 'string', format: 'date-time' },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: "Ready to send to the provider's API.",
    },
    scope: { type: 'string' },
    query: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Query parameters that an API call has to carry besides.',
    },
    cookies: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Cookies by name; they stand in `headers` too.',
    },
    outputs: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'What else the provider told, such as where its API is.',
    },
  },
};
