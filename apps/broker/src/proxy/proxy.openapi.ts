import type { OpenAPIObject } from '@nestjs/swagger';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] as const;

function operation(method: string): Operation {
  return {
    operationId: `proxy_${method}`,
    summary: "Calls the API of the client with the client's token.",
    description:
      'Any method but CONNECT and TRACE, any body. Path and query go on as they come, below the `api.base_url` of the definition. The answer is that of the API, with `tokenbroker-origin: upstream`; a problem with `tokenbroker-origin: broker` is the broker’s own.',
    tags: ['proxy'],
    security: [{ bearer: [] }],
    parameters: [
      { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
      { name: 'path', in: 'path', required: true, schema: { type: 'string' }, description: 'May hold slashes.' },
    ],
    responses: { '2XX': { description: 'What the API answers, whatever its status.' } },
  };
}

/** How `proxy.route.ts` is described: by the methods that OpenAPI knows. */
export const proxyRoute: PathItem = Object.fromEntries(methods.map((method) => [method, operation(method)]));
