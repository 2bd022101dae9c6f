import { startSimulator, type Simulator, type SimulatorOptions } from '../src/simulator';

/** A simulator on a clock that stands still until told, and the calls that every spec makes. */
export interface Rig {
  /** ms since 1970; assign to let time pass. */
  time: number;
  url: string;
  close(): Promise<void>;
  control(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }>;
  ask(credentials?: object, headers?: Record<string, string>): Promise<Response>;
  token(): Promise<string>;
  use(token: string, path?: string, init?: RequestInit): Promise<Response>;
  modes(modes: object): Promise<void>;
  outcomes(): Promise<Record<string, number>>;
}

export const start = Date.UTC(2030, 0, 1);

export async function startRig(options: Partial<SimulatorOptions> = {}): Promise<Rig> {
  let time = start;
  const simulator: Simulator = await startSimulator({ port: 0, now: () => time, ...options });
  const { url } = simulator;
  const control = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}/_control${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
  const ask = (credentials: object = { key: 'acme', secret: 's1' }, headers: Record<string, string> = {}) =>
    fetch(`${url}/v3/oauth/token/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(credentials),
    });
  await control('PUT', '/clients/acme', { secret: 's1', ttl_seconds: 300, modes: { cheap_tokens: true } });
  return {
    get time() {
      return time;
    },
    set time(ms: number) {
      time = ms;
    },
    url,
    close: () => simulator.close(),
    control,
    ask,
    token: async () => ((await (await ask()).json()) as any).data.accessToken,
    use: (token, path = '/v2/customers/lookup', init = {}) =>
      fetch(url + path, { ...init, headers: { ...init.headers, 'X-CAP-API-OAUTH-TOKEN': token } }),
    modes: async (modes) => {
      const { status, body } = await control('PUT', '/clients/acme/modes', { cheap_tokens: true, ...modes });
      if (status !== 200) throw new Error(JSON.stringify(body));
    },
    outcomes: async () => (await control('GET', '/clients/acme')).body.outcomes,
  };
}
