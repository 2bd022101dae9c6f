import { Misconfigured } from './errors';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The process's environment, where there is such a thing. */
export function processEnvironment(): Environment {
  const { process } = globalThis as { process?: { env?: Environment } };
  if (process?.env) return process.env;
  throw new Misconfigured(
    'There is no process.env here: hand the settings to TokenBroker.fromEnv(env), or to new TokenBroker({ url, key }).',
  );
}

export function setting(environment: Environment, name: string, example: string): string {
  const value = environment[name]?.trim();
  if (value) return value;
  throw new Misconfigured(`${name} is not set in the environment. Set it, for instance to ${example}.`);
}

/**
 * The address without a slash at its end. It may have a path, of a gateway in front of the broker.
 * @throws Misconfigured
 */
export function brokerUrl(given: unknown): string {
  const url = typeof given === 'string' && URL.canParse(given.trim()) ? new URL(given.trim()) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  if (isPlain) return url.href.replace(/\/+$/, '');
  throw new Misconfigured(
    'The url of the broker must be of the form https://broker.example.com, without user, query or fragment.',
  );
}
