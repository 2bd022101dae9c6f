import { request } from 'undici';

/** The calls that prepare a measurement, to the broker and to the simulated provider. */
export class BrokerApi {
  constructor(
    private readonly broker: string,
    private readonly adminKey: string,
    private readonly simulator: string,
  ) {}

  /**
   * Registers a client at the provider and at the broker.
   * @param verify whether the broker gets its first token within this call, or soon after
   * @param longToken of some 900 bytes, which is what Capillary's have; else some 570
   */
  async registerClient(
    name: string,
    { ttlSeconds, verify, longToken }: { ttlSeconds: number; verify: boolean; longToken: boolean },
  ): Promise<void> {
    // The simulator's tokens carry the client's key: a long key makes a long token.
    const key = longToken ? name + padding : name;
    const secret = `secret-of-${name}`;
    await call('PUT', `${this.simulator}/_control/clients/${key}`, { secret, ttl_seconds: ttlSeconds });
    const inputs = { base_url: this.simulator, key, secret };
    await this.#admin('POST', `/v1/clients?verify=${verify}`, { name, provider: 'capillary', inputs });
  }

  /** Registers many, some at a time, and leaves it to the broker to get their tokens. */
  async registerClients(names: string[], options: { ttlSeconds: number; longToken: boolean }): Promise<void> {
    const left = names.values();
    const registerSome = async (): Promise<void> => {
      for (const name of left) await this.registerClient(name, { ...options, verify: false });
    };
    await Promise.all(Array.from({ length: atOnce }, registerSome));
  }

  /** @returns the key of a new service that may fetch the client's token */
  async grantedKey(service: string, client: string): Promise<string> {
    await this.#admin('POST', '/v1/services', { name: service });
    await this.#admin('POST', '/v1/grants', { service, client });
    const { key } = (await this.#admin('POST', `/v1/services/${service}/keys`, {})) as { key: string };
    return key;
  }

  /** The answer of the token route. */
  async readToken(client: string, key: string): Promise<{ headers: Record<string, string>; body: string }> {
    const url = `${this.broker}/v1/clients/${client}/token`;
    const answer = await request(url, { headers: { authorization: `Bearer ${key}` } });
    const body = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${body}`);
    const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
    return { headers: Object.fromEntries(headers) as Record<string, string>, body };
  }

  #admin(method: 'POST', path: string, body: object): Promise<unknown> {
    return call(method, this.broker + path, body, { authorization: `Bearer ${this.adminKey}` });
  }
}

const atOnce = 16;
const padding = `-${'x'.repeat(240)}`;

async function call(method: 'GET' | 'POST' | 'PUT', url: string, body?: object, headers = {}): Promise<unknown> {
  const answer = await request(url, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`${method} ${url} answered ${answer.statusCode}: ${text}`);
  return JSON.parse(text);
}
