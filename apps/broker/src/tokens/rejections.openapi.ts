import type { OpenAPIObject } from '@nestjs/swagger';
import { rejectionResults } from '#tokens';

/** How `rejections.route.ts` is described. */
export const rejectionsRoute: NonNullable<OpenAPIObject['paths'][string]['post']> = {
  operationId: 'rejectToken',
  summary: 'The provider refuses the token that this service got.',
  description:
    'Renews only if it is still the token that is served; said by many, it is renewed once. Until the next one is there, the present one is served.',
  tags: ['tokens'],
  security: [{ bearer: [] }],
  parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['etag'],
          additionalProperties: false,
          properties: { etag: { type: 'string', description: 'The ETag that came with the token.' } },
        },
      },
    },
  },
  responses: {
    '202': {
      description: 'It was noted; `renewal` says what comes of it.',
      headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'With `rate_limited`.' } },
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Rejection' } } },
    },
  },
};

export const rejectionSchema = {
  type: 'object',
  required: ['renewal'],
  properties: {
    renewal: {
      type: 'string',
      enum: [...rejectionResults],
      description:
        '`started`: the next token is being fetched. `under_way`: it was already. `already_replaced`: another token is served by now; get it. `rate_limited`: a token was replaced so a moment ago, or the provider may not be asked now; the token is served on.',
    },
    retry_after: { type: 'integer', description: 'Seconds, with `rate_limited`.' },
  },
};
