import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorAnswer, refusalAnswer, tokenAnswer, type Answer, type Handled } from './answers';
import type { Client } from './clients';
import type { TokenRecord } from './ledger';
import { mint } from './minting';
import { deliver, interrupt, reset } from './misbehaviour';
import type { TokenModes } from './mode-catalogue';
import { layered, type ActiveModes } from './mode-set';
import type { World } from './world';

type Credentials = { key: string; secret: string };

/** `POST /v3/oauth/token/generate`, as Capillary documents it unless a mode says otherwise. */
export function tokenRoute(app: FastifyInstance, world: World): void {
  app.post('/v3/oauth/token/generate', async (request, reply) => {
    const asked = readCredentials(request);
    const client = 'key' in asked ? world.clients.find(asked.key) : undefined;
    const { calls } = client ?? world.clients.unknown;
    const call = calls.begin(world.now());
    const modes = layered(client?.modes, world.modes);
    // Judged on arrival: a secret rotated while this call is in flight does not undo it.
    const accepted = client !== undefined && 'key' in asked && client.secret === asked.secret ? client : undefined;
    const rotations = client?.rotations ?? 0;

    const interrupted = await interrupt(modes, reply, world.now);
    if (interrupted) {
      calls.finish(call, interrupted, world.now());
      return reply;
    }
    const { outcome, answer } =
      'status' in asked
        ? { outcome: `status_${asked.status}`, answer: asked }
        : await respond(accepted, rotations, modes, reply, world);
    const disfigured = answer && (await deliver(modes, reply, answer));
    calls.finish(call, disfigured ?? outcome, world.now());
    return reply;
  });
}

async function respond(
  client: Client | undefined,
  rotations: number,
  modes: ActiveModes<TokenModes>,
  reply: FastifyReply,
  world: World,
): Promise<Handled> {
  const flapping = client && modes.take('flapping_refusal');
  if (!client || (flapping && flapping.use % flapping.every === 0)) {
    return { outcome: 'refused', answer: refusalAnswer(modes.take('refusal_status')?.value ?? 200) };
  }
  const again = world.ledger.newestLive(client, world.now());
  const repeat = again && modes.take('same_token_again');
  const token = repeat ? again : await issue(client, rotations, modes, world);
  if (modes.take('reset_after_issuing')) {
    reset(reply);
    return { outcome: 'reset_after_issuing' };
  }
  const remaining = Math.floor((token.expiresAt - world.now()) / 1000);
  const ttl = repeat && repeat.life !== 'full' ? remaining : client.ttlSeconds;
  return { outcome: repeat ? 'same_token' : 'issued', answer: tokenAnswer(token.value, told(ttl, modes)) };
}

async function issue(
  client: Client,
  rotations: number,
  modes: ActiveModes<TokenModes>,
  world: World,
): Promise<TokenRecord> {
  const value = await mint({
    client,
    issuedAt: world.now(),
    ttlSeconds: client.ttlSeconds,
    skewSeconds: modes.take('clock_skew_seconds')?.value ?? 0,
    rawControlCharacter: modes.take('raw_control_character') !== undefined,
    cheap: modes.take('cheap_tokens') !== undefined,
  });
  // Read after signing, which takes time: among concurrent calls the ledger's order is that of these moments.
  const issuedAt = world.now();
  const lifeSeconds = modes.take('real_ttl_seconds')?.value ?? client.ttlSeconds;
  if (modes.take('single_live')) world.ledger.supersede(client, issuedAt);
  const token = world.ledger.record({ value, client, issuedAt, expiresAt: issuedAt + lifeSeconds * 1000, rotations });
  client.countIssued(token.issuedAt, token.expiresAt);
  return token;
}

/** What the answer says for ttlSeconds; undefined leaves the field out. */
function told(ttl: number, modes: ActiveModes<TokenModes>): unknown {
  if (modes.take('ttl_missing')) return undefined;
  const claimed = modes.take('ttl_value');
  return claimed ? claimed.value : ttl;
}

function readCredentials(request: FastifyRequest): Credentials | Answer {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) return errorAnswer(415, 415, 'Unsupported Media Type');
  try {
    const { key, secret } = JSON.parse(String(request.body));
    // A missing field matches no client: refused like a wrong one.
    return { key: String(key), secret: String(secret) };
  } catch {
    return errorAnswer(400, 400, 'Malformed JSON request');
  }
}
