import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { facadePaths, facadeSchemas, facadeSecurity } from './facades/facades.openapi';
import { problemTypes } from './problem';
import { proxyRoute } from './proxy/proxy.openapi';
import { rejectionSchema, rejectionsRoute } from './tokens/rejections.openapi';

const problemContent = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

/** `/openapi.json`, and pages to read and try it at `/docs`, all served from here. */
export function serveOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Token Broker',
  });
}

/** The description of every route: Nest's from its controllers, those of the services' doors by hand. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const settings = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Token Broker')
    .setDescription('Keeps partner API secrets in one place and serves a valid access token in one call.')
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key: tba_… for admins, tbk_… for services.' })
    .build();
  const document = SwaggerModule.createDocument(app, settings);
  Object.assign(document.paths, {
    '/v1/clients/{name}/token': { get: tokenRoute },
    '/v1/clients/{name}/token/rejections': { post: rejectionsRoute },
    '/proxy/{name}/{path}': proxyRoute,
    ...facadePaths,
  });
  const { schemas, securitySchemes } = document.components!;
  Object.assign(schemas!, { Problem: problemSchema, ServedToken: servedTokenSchema, Rejection: rejectionSchema });
  Object.assign(schemas!, facadeSchemas);
  Object.assign(securitySchemes!, facadeSecurity);
  for (const path of Object.values(document.paths)) {
    for (const operation of [path.get, path.post, path.put, path.patch, path.delete, path.options, path.head]) {
      if (operation)
        operation.responses['default'] ??= { description: 'A problem (RFC 9457).', content: problemContent };
    }
  }
  return {
    ...document,
    paths: Object.fromEntries(Object.entries(document.paths).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const tokenRoute: NonNullable<OpenAPIObject['paths'][string]['get']> = {
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

const servedTokenSchema = {
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

const problemSchema = {
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
