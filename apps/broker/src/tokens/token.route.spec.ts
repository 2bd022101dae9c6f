import fastify from 'fastify';
import { type IssuedToken, ProviderUnavailable } from '#providers';
import { MemoryTokenStore, TokenService } from '#tokens';
import { KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { TokenAnswers } from './token-answer';
import { registerTokenRoute } from './token.route';

/** What no preset does, and no provider that the brokers of the other suites can reach. */
describe('the answer with a token that the next one ends', () => {
  const clock = { ms: 1_000_000, now: () => clock.ms, monotonic: () => clock.ms };
  let down = false;
  const tokens = new TokenService({
    store: new MemoryTokenStore(clock),
    vault: new Vault(KeyRing.parse(newMasterKey('k'))),
    loadClient: async (id) => {
      const definition = { id: 'p', steps: [{}], token: { expiry: [] }, renew: { single_live: true } } as never;
      return { id, provider: 'p', definition, version: 1, secretVersion: 1, inputs: async () => ({}) };
    },
    requestToken: async (): Promise<IssuedToken> => {
      if (down) throw new ProviderUnavailable({ message: 'down', providerStatus: 502 });
      const sent = { sentAt: clock.now(), sentAtMonotonic: clock.monotonic() };
      return { ...sent, accessToken: new Secret('t'), tokenType: 'Bearer', lifeSeconds: 1_000, headers: {} };
    },
    clock,
    random: () => 0,
  });
  const server = fastify();
  const caller = { principal: { kind: 'service' }, client: { clientId: 'c', enabled: true } };
  const authenticator = { identifyNow: () => caller } as never;
  registerTokenRoute(
    server,
    new TokenAnswers({ authenticator, tokens, metrics: { served: () => undefined } as never }),
  );
  const get = async () => (await server.inject('/v1/clients/eu/token')).json<Record<string, unknown>>();
  const at = (ms: number) => new Date(ms).toISOString();
  afterAll(() => server.close());

  it('tells the time up to the planned renewal, and a second at a time when that fails', async () => {
    expect(await get()).toMatchObject({ access_token: 't', expires_in: 880, expires_at: at(1_880_000) });
    down = true;
    clock.ms += 600_000;
    expect(await get()).toMatchObject({ expires_in: 280, expires_at: at(1_880_000) });
    clock.ms += 320_000;
    await tokens.renewDue();
    await tokens.drain();
    expect(await get()).toMatchObject({ access_token: 't', expires_in: 1, expires_at: at(clock.ms + 1_000) });
  });
});
