import { problemTypes } from './problem';

export const problemContent = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

export const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(problemTypes) },
    hint: { type: 'string', description: 'What to do.' },
    request_id: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          pointer: { type: 'string' },
          detail: { type: 'string' },
          line: { type: 'integer', description: "Of a definition's text, from 1." },
        },
      },
    },
  },
};
