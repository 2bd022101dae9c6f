import type { OpenAPIObject } from '@nestjs/swagger';
import { tokenExchange } from './token-exchange';

type Path = OpenAPIObject['paths'][string];

const text = (description: string, more: object = {}) => ({ type: 'string', description, ...more });
const json = (name: string) => ({ 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } });
const retryAfter = { 'Retry-After': { schema: { type: 'integer' } } };

const oauthForm = {
  type: 'object',
  required: ['grant_type'],
  properties: {
    grant_type: { type: 'string', enum: ['client_credentials', tokenExchange] },
    client_id: text('The service, where it does not authenticate by Basic.'),
    client_secret: text('A key of the service.'),
    resource: text('The client (RFC 8707): urn:token-broker:client:{name}, its URL or its name. Once.'),
    scope: text('client:{name}: another way to name it.'),
    audience: text('A third one, of token exchange.'),
    subject_token: text('Token exchange: a JWT of the service.'),
    subject_token_type: text('What kind of JWT that is.', { format: 'uri' }),
    requested_token_type: text('urn:ietf:params:oauth:token-type:access_token, or left out.', { format: 'uri' }),
  },
};

const oauthToken: Path = {
  post: {
    operationId: 'requestToken',
    summary: 'The same token by OAuth 2.0: client credentials (RFC 6749 4.4) or token exchange (RFC 8693).',
    tags: ['facades'],
    security: [{ oauth_client: [] }, {}],
    requestBody: {
      required: true,
      content: { 'application/x-www-form-urlencoded': { schema: oauthForm } },
    },
    responses: {
      '200': { description: 'The token; with the life that is left.', content: json('OAuthToken') },
      '400': { description: 'The request, its grant type or the client that it names.', content: json('OAuthError') },
      '401': { description: 'invalid_client.', content: json('OAuthError') },
      '503': { description: 'There is no token to serve now.', headers: retryAfter, content: json('OAuthError') },
      default: { description: 'Any other error, in the same shape.', content: json('OAuthError') },
    },
  },
};

const metadata: Path = {
  get: {
    operationId: 'getAuthorizationServerMetadata',
    summary: 'Where the token endpoint is and what it takes (RFC 8414).',
    tags: ['facades'],
    responses: {
      '200': { description: 'The metadata.', content: { 'application/json': { schema: { type: 'object' } } } },
    },
  },
};

const capillary: Path = {
  post: {
    operationId: 'generateCapillaryToken',
    summary: "The token of a client of Capillary, asked for and answered as Capillary's own API does it.",
    tags: ['facades'],
    security: [],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['key', 'secret'],
            properties: {
              key: text('{service}, where it was granted one client of Capillary, or {service}/{client}.'),
              secret: text('A key of the service.'),
            },
          },
        },
      },
    },
    responses: {
      '200': { description: 'The token; ttlSeconds is the life that is left.', content: json('CapillaryToken') },
      '401': { description: 'Code 320001.', content: json('CapillaryToken') },
      '503': { description: 'There is no token to serve now.', headers: retryAfter, content: json('CapillaryToken') },
      default: { description: 'Any other error, in the same shape.', content: json('CapillaryToken') },
    },
  },
};

/** The facades are no controllers: what they take and answer is described here, by hand. */
export const facadePaths: OpenAPIObject['paths'] = {
  '/oauth/token': oauthToken,
  '/.well-known/oauth-authorization-server': metadata,
  '/v3/oauth/token/generate': capillary,
};

export const facadeSecurity = {
  oauth_client: { type: 'http', scheme: 'basic', description: 'A service, and a key of it.' },
} as const;

export const facadeSchemas = {
  OAuthToken: {
    type: 'object',
    required: ['access_token', 'token_type', 'expires_in'],
    properties: {
      access_token: { type: 'string' },
      issued_token_type: text('Of a token exchange.', { format: 'uri' }),
      token_type: { type: 'string', enum: ['Bearer'] },
      expires_in: { type: 'integer', description: 'Whole seconds for which it may be used.' },
      scope: text('What the provider granted, where it said so.'),
    },
  },
  OAuthError: {
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'string',
        enum: [
          'invalid_request',
          'invalid_client',
          'unsupported_grant_type',
          'invalid_scope',
          'invalid_target',
          'temporarily_unavailable',
          'server_error',
        ],
      },
      error_description: text('What to do, for people.'),
    },
  },
  CapillaryToken: {
    type: 'object',
    properties: {
      data: {
        type: ['object', 'null'],
        properties: { accessToken: { type: 'string' }, ttlSeconds: { type: 'integer' } },
      },
      errors: {
        type: ['array', 'null'],
        items: {
          type: 'object',
          properties: { code: { type: 'integer', example: 320001 }, message: { type: 'string' } },
        },
      },
    },
  },
};
