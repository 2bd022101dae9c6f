import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { facadePaths, facadeSchemas, facadeSecurity } from './facades/facades.openapi';
import { problemContent, problemSchema } from './problem.openapi';
import { proxyRoute } from './proxy/proxy.openapi';
import { rejectionSchema, rejectionsRoute } from './tokens/rejections.openapi';
import { servedTokenSchema, tokenRoute } from './tokens/token.openapi';

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
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'tba_… for admins; for services tbk_…, or a JWT of an issuer that the broker trusts.',
    })
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
