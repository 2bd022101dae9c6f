import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BulkIssuer } from './bulk-issuer';
import { unknownKey, type Client, type Registration } from './clients';
import {
  clientSchema,
  clockSchema,
  explain,
  inspectSchema,
  resourceModesSchema,
  tokenModesSchema,
} from './control-schemas';
import { judge } from './ledger';
import { inFull, resourceShapes, tokenShapes } from './mode-catalogue';
import type { ModeSet } from './mode-set';
import type { World } from './world';

type Modes = Record<string, Record<string, unknown>>;
type Switchboard = Pick<ModeSet<object>, 'replace' | 'clear' | 'show'>;

/** A refusal of the control API: `{error, message}` with this status. */
class ControlError extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** `/_control/…`: how a test or the demo registers clients, switches modes, and reads what happened. */
export async function controlRoutes(app: FastifyInstance, world: World, bulk?: BulkIssuer): Promise<void> {
  app.setSchemaErrorFormatter((errors) => explain(errors));
  app.setErrorHandler((error: ControlError, _request, reply) => {
    const code = error instanceof ControlError ? error.code : 'invalid_request';
    return reply.code(error.statusCode ?? 500).send({ error: code, message: error.message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: 'unknown_path', message: `there is no ${request.method} ${request.url}` }),
  );
  clientRoutes(app, world);
  if (bulk) bulkRoutes(app, world, bulk);
  modeRoutes(app, world);
  tokenRoutes(app, world);
  clockRoutes(app, world);
}

function clientRoutes(app: FastifyInstance, world: World): void {
  const writeOut = async (request: FastifyRequest) => {
    const body = request.body as { modes?: unknown; resource_modes?: unknown } | null;
    if (body?.modes !== undefined) body.modes = inFull(body.modes, tokenShapes);
    if (body?.resource_modes !== undefined) body.resource_modes = inFull(body.resource_modes, resourceShapes);
  };
  app.put('/clients/:key', { schema: { body: clientSchema }, preValidation: writeOut }, (request, reply) => {
    const key = keyOf(request);
    const body = request.body as Registration & { modes?: Modes; resource_modes?: Modes };
    if (key === unknownKey) throw new ControlError(409, 'reserved_key', `"${unknownKey}" counts calls of no client`);
    const existing = world.clients.find(key);
    if (!existing && body.secret === undefined) {
      throw new ControlError(400, 'invalid_request', 'a new client needs a "secret"');
    }
    const client = existing ?? world.clients.add(key);
    client.change(body);
    if (body.modes) client.modes.replace(body.modes);
    if (body.resource_modes) client.resourceModes.replace(body.resource_modes);
    return reply.code(existing ? 200 : 201).send(client.summary());
  });
  app.get('/clients', (_request, reply) => {
    const clients = world.clients.all().map((client) => client.summary());
    const unknown = world.clients.unknown.summary();
    const total = (count: 'calls' | 'issued' | 'refused') =>
      [...clients, unknown].reduce((sum, client) => sum + client[count], 0);
    const totals = { calls: total('calls'), issued: total('issued'), refused: total('refused') };
    return reply.send({ totals, clients, unknown });
  });
  app.get('/clients/:key', (request, reply) => {
    const client = keyOf(request) === unknownKey ? world.clients.unknown : known(world, request);
    return reply.send(client.detail());
  });
  app.delete('/clients/:key', (request, reply) => {
    const client = known(world, request);
    world.ledger.revoke(client, world.now());
    world.ledger.forget(client);
    world.clients.remove(client.key);
    return reply.code(204).send();
  });
  app.delete('/calls', (_request, reply) => {
    for (const client of [...world.clients.all(), world.clients.unknown]) client.resetCounts();
    return reply.code(204).send();
  });
}

function modeRoutes(app: FastifyInstance, world: World): void {
  const forTokens = { schema: tokenModesSchema, shapes: tokenShapes };
  const forResource = { schema: resourceModesSchema, shapes: resourceShapes };
  const places: [string, typeof forTokens | typeof forResource, (request: FastifyRequest) => Switchboard][] = [
    ['/modes', forTokens, () => world.modes],
    ['/resource/modes', forResource, () => world.resourceModes],
    ['/clients/:key/modes', forTokens, (request) => known(world, request).modes],
    ['/clients/:key/resource/modes', forResource, (request) => known(world, request).resourceModes],
  ];
  for (const [path, { schema, shapes }, modesOf] of places) {
    const writeOut = async (request: FastifyRequest) => {
      request.body = inFull(request.body, shapes);
    };
    app.get(path, (request, reply) => reply.send(modesOf(request).show()));
    app.put(path, { schema: { body: schema }, preValidation: writeOut }, (request, reply) => {
      const modes = modesOf(request);
      modes.replace(request.body as Modes);
      return reply.send(modes.show());
    });
    app.delete(path, (request, reply) => {
      modesOf(request).clear();
      return reply.code(204).send();
    });
  }
}

function bulkRoutes(app: FastifyInstance, world: World, bulk: BulkIssuer): void {
  app.get('/bulk', (_request, reply) => {
    const { options, issued } = bulk;
    const { from, counts } = bulk.calls.upTo(world.now());
    const life = { ttl_seconds: options.ttlSeconds, token_bytes: options.tokenBytes };
    return reply.send({ ...life, issued, from, calls_per_second: counts });
  });
  app.delete('/bulk', (_request, reply) => {
    bulk.reset();
    return reply.code(204).send();
  });
}

function tokenRoutes(app: FastifyInstance, world: World): void {
  app.post('/clients/:key/revoke', (request, reply) =>
    reply.send({ revoked: world.ledger.revoke(known(world, request), world.now()) }),
  );
  app.post('/tokens/inspect', { schema: { body: inspectSchema } }, (request, reply) => {
    const { token, at = world.now() } = request.body as { token: string; at?: number };
    const record = world.ledger.find(token);
    return reply.send({
      known: record !== undefined,
      client: record?.client.key ?? null,
      alive: judge(record, at) === 'alive',
      issued_at: record?.issuedAt ?? null,
      expires_at: record?.expiresAt ?? null,
      superseded: record !== undefined && record.supersededAt !== null,
      superseded_at: record?.supersededAt ?? null,
      revoked: record !== undefined && record.revokedAt !== null,
      revoked_at: record?.revokedAt ?? null,
      rotations: record?.rotations ?? null,
    });
  });
}

function clockRoutes(app: FastifyInstance, world: World): void {
  const show = () => ({ now: world.now(), offset_seconds: world.clockOffsetMs / 1000 });
  app.get('/clock', (_request, reply) => reply.send(show()));
  app.put('/clock', { schema: { body: clockSchema } }, (request, reply) => {
    const { offset_seconds, advance_seconds } = request.body as { offset_seconds?: number; advance_seconds?: number };
    if (offset_seconds !== undefined) world.clockOffsetMs = offset_seconds * 1000;
    if (advance_seconds !== undefined) world.clockOffsetMs += advance_seconds * 1000;
    return reply.send(show());
  });
}

function keyOf(request: FastifyRequest): string {
  return (request.params as { key: string }).key;
}

function known(world: World, request: FastifyRequest): Client {
  const client = world.clients.find(keyOf(request));
  if (client) return client;
  throw new ControlError(404, 'unknown_client', `no client is registered under the key "${keyOf(request)}"`);
}
