import type { FastifyInstance, FastifyRequest } from 'fastify';
import { indiaTime, statusAnswer, type Answer, type Handled } from './answers';
import { judge, type TokenRecord } from './ledger';
import { deliver, interrupt } from './misbehaviour';
import type { ResourceModes } from './mode-catalogue';
import { layered, type ActiveModes } from './mode-set';
import type { World } from './world';

const tokenHeader = 'x-cap-api-oauth-token';

/** Any other path of the API: checks the token and says what reached it. */
export function resourceRoute(app: FastifyInstance, world: World): void {
  for (const path of ['/v1.1/*', '/v2/*', '/v3/*']) {
    app.all(path, async (request, reply) => {
      const sent = request.headers[tokenHeader];
      const token = typeof sent === 'string' ? world.ledger.find(sent) : undefined;
      const { resourceCalls } = token?.client ?? world.clients.unknown;
      const call = resourceCalls.begin(world.now());
      const modes = layered(token?.client.resourceModes, world.resourceModes);
      const interrupted = await interrupt(modes, reply, world.now);
      if (interrupted) {
        resourceCalls.finish(call, interrupted, world.now());
        return reply;
      }
      const { outcome, answer } = respond(request, token, world.now(), modes);
      const disfigured = await deliver(modes, reply, answer);
      resourceCalls.finish(call, disfigured ?? outcome, world.now());
      return reply;
    });
  }
}

function respond(
  request: FastifyRequest,
  token: TokenRecord | undefined,
  at: number,
  modes: ActiveModes<ResourceModes>,
): Required<Handled> {
  const verdict = judge(token, at);
  if (token === undefined || verdict === 'invalid') {
    const status = modes.take('invalid_status')?.value ?? 401;
    return { outcome: 'invalid', answer: statusAnswer(status, '401', 'Unauthorized') };
  }
  if (verdict === 'expired') {
    const status = modes.take('expired_status')?.value ?? 498;
    const message = `Token expired at ${indiaTime(token.expiresAt)}`;
    return { outcome: 'expired', answer: statusAnswer(status, '498', message) };
  }
  const group = modes.take('access_group');
  if (group) return { outcome: 'access_group', answer: accessGroupAnswer(group.code) };
  if (modes.take('no_access')) return { outcome: 'no_access', answer: statusAnswer(403, '403', 'Forbidden') };
  return { outcome: 'ok', answer: statusAnswer(200, '200', 'Success', echo(request, token)) };
}

function accessGroupAnswer(code: 4000 | 4001): Answer {
  return code === 4000
    ? statusAnswer(403, '4000', 'Access to this API is not granted')
    : statusAnswer(503, '4001', 'Access groups could not be read');
}

/** What reached the API, for a test to look at. */
function echo(request: FastifyRequest, token: TokenRecord): object {
  const [path, query] = request.url.split('?', 2);
  const header = (name: string) => request.headers[`x-cap-api-attribution-entity-${name}`] ?? null;
  return {
    client: token.client.key,
    method: request.method,
    path,
    query: query ?? null,
    attribution: { entity_type: header('type'), entity_code: header('code') },
    // Masked, so that an echo through a proxy cannot hand the token to a program that must never hold it.
    headers: { ...request.headers, [tokenHeader]: '[token]' },
    body: request.body === undefined ? null : String(request.body),
  };
}
