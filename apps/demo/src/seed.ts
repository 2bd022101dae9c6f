interface Urls {
  brokerUrl: string;
  simulatorUrl: string;
  adminKey: string;
}

export interface Seeded {
  serviceKey: string;
  /** Client -> what to expect of it. */
  clients: Record<string, string>;
}

const lifeSeconds = 300;

/** Registers clients in every condition, and a service that may fetch the tokens of all of them. */
export async function seed({ brokerUrl, simulatorUrl, adminKey }: Urls): Promise<Seeded> {
  const simulator = (path: string, body: object) => call(`${simulatorUrl}/_control${path}`, 'PUT', body);
  const admin = <T = unknown>(path: string, body: object) => call<T>(`${brokerUrl}/v1${path}`, 'POST', body, adminKey);
  const register = (name: string, secret = `secret-of-${name}`, verify = true) =>
    admin(`/clients?verify=${verify}`, {
      name,
      provider: 'capillary',
      inputs: { base_url: simulatorUrl, key: `key-of-${name}`, secret },
      labels: { team: 'loyalty' },
    });
  const atProvider = (name: string, more: object = {}) =>
    simulator(`/clients/key-of-${name}`, { secret: `secret-of-${name}`, ttl_seconds: lifeSeconds, ...more });

  await atProvider('loyalty-eu');
  await register('loyalty-eu');
  await atProvider('loyalty-short', { ttl_seconds: 10 });
  await register('loyalty-short');
  await atProvider('loyalty-apac', { modes: { outage: { status: 503 } } });
  await register('loyalty-apac', undefined, false);
  await atProvider('loyalty-us');
  await register('loyalty-us', 'a-secret-that-was-replaced', false);
  await atProvider('loyalty-old');
  await register('loyalty-old');
  await admin('/clients/loyalty-old/disable', {});

  await admin('/services', { name: 'checkout' });
  await admin('/grants', { service: 'checkout', label: 'team=loyalty' });
  const { key } = await admin<{ key: string }>('/services/checkout/keys', {});
  return {
    serviceKey: key,
    clients: {
      'loyalty-eu': `fresh: a token of ${lifeSeconds} s, renewed ahead of need`,
      'loyalty-short': 'fresh: a token of 10 s; ask again and again and see it renewed',
      'loyalty-apac': 'failing: the provider answers 503',
      'loyalty-us': 'credentials_refused: its secret was replaced at the provider',
      'loyalty-old': 'disabled',
    },
  };
}

async function call<T>(url: string, method: string, body: object, key?: string): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}
