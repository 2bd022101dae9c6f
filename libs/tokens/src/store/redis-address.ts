import { isIPv6 } from 'node:net';
import { Secret } from '#vault';

export interface RedisNode {
  host: string;
  port: number;
}

export interface RedisLogin {
  username?: string;
  password: Secret;
}

/** Where Redis is, as `REDIS_URL` tells it. */
export type RedisAddress =
  | { kind: 'single'; url: Secret }
  | {
      kind: 'sentinel';
      tls: boolean;
      sentinels: RedisNode[];
      /** What the Sentinels call the master that they watch over. */
      master: string;
      db: number;
      login?: RedisLogin;
      sentinelLogin?: RedisLogin;
    }
  | { kind: 'cluster'; tls: boolean; nodes: RedisNode[]; login?: RedisLogin };

const forms = {
  single: 'redis://[user:password@]host:6379[/db]',
  sentinel: 'redis+sentinel://[user:password@]host:26379,host2:26379,host3:26379/mymaster[/db][?sentinel_password=...]',
  cluster: 'redis+cluster://[user:password@]host:6379,host2:6379,host3:6379',
};
const encoded = 'with # / ? @ : and % in a password written as %23 %2F %3F %40 %3A and %25';

/** Says what is wrong and what the form is; never what was given, which may hold a password. */
export class InvalidRedisUrl extends Error {
  constructor(fault: string, kind?: RedisAddress['kind']) {
    const form = kind ? forms[kind] : Object.values(forms).join(', ');
    super(`${fault}; it must have the form ${form}, with rediss instead of redis for TLS`);
    this.name = 'InvalidRedisUrl';
  }
}

/** @throws InvalidRedisUrl */
export function parseRedisUrl(text: string): RedisAddress {
  const [, scheme, kindText = 'single', rest] = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(\S+)$/.exec(text) ?? [];
  if (!scheme || !rest) throw new InvalidRedisUrl('is not a Redis URL');
  const kind = kindText as RedisAddress['kind'];
  if (kind === 'single') return single(text);
  const unreadable = `cannot be read as a URL, ${encoded}`;
  const parts = /^(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^@?#]*))?(?:\?([^#]*))?$/.exec(rest);
  if (!parts) throw new InvalidRedisUrl(unreadable, kind);
  const [, userinfo, hosts = '', path = '', query = ''] = parts;
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw new InvalidRedisUrl(unreadable, kind);
    }
  };
  const tls = scheme === 'rediss';
  const login = userinfo === undefined ? undefined : loginOf(userinfo, kind, decode);
  const nodes = hosts.split(',').map((host) => nodeOf(host, kind));
  if (kind === 'cluster') {
    if (!/^0?$/.test(path)) throw new InvalidRedisUrl('names a database, and a cluster has only 0', kind);
    if (query) throw new InvalidRedisUrl('has options after ?, and there are none for a cluster', kind);
    return { kind, tls, nodes, ...(login && { login }) };
  }
  const [, name, db = '0'] = /^([^/]+)(?:\/(\d{1,5}))?$/.exec(path) ?? [];
  if (!name) throw new InvalidRedisUrl('does not name the master, and nothing but its database after it', kind);
  const master = decode(name);
  // What Sentinel itself takes for a name.
  if (!/^[\w.-]+$/.test(master)) throw new InvalidRedisUrl('names a master that Sentinel cannot have', kind);
  const sentinelLogin = sentinelLoginOf(query, decode);
  return {
    ...{ kind, tls, sentinels: nodes, master, db: Number(db) },
    ...(login && { login }),
    ...(sentinelLogin && { sentinelLogin }),
  };
}

/** Goes to the client library as it is, which would take whatever it says for a database, and for ever be refused. */
function single(text: string): RedisAddress {
  const { hostname, port, pathname, searchParams } = urlOf(text);
  const databases = [pathname.slice(1), searchParams.get('db') ?? ''];
  if (!databases.every((db) => /^\d{0,5}$/.test(db)))
    throw new InvalidRedisUrl('names a database that is not a number', 'single');
  if (!hostname || port === '0') throw new InvalidRedisUrl('has a host that is not host or host:port', 'single');
  return { kind: 'single', url: new Secret(text) };
}

function urlOf(text: string): URL {
  try {
    const url = new URL(text);
    decodeURIComponent(url.username + url.password);
    return url;
  } catch {
    throw new InvalidRedisUrl(`cannot be read as a URL, ${encoded}`, 'single');
  }
}

function loginOf(userinfo: string, kind: RedisAddress['kind'], decode: (part: string) => string): RedisLogin {
  const [, user = '', password = ''] = /^([^:]*):(.+)$/.exec(userinfo) ?? [];
  if (!password) throw new InvalidRedisUrl('has no password before @, which is user:password or :password', kind);
  return { ...(user && { username: decode(user) }), password: new Secret(decode(password)) };
}

function nodeOf(text: string, kind: 'sentinel' | 'cluster'): RedisNode {
  const [, name, v6, port] = /^(?:([\w.-]+)|\[([\da-f:.]+)\])(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = name ?? (v6 && isIPv6(v6) ? v6 : undefined);
  const number = Number(port ?? (kind === 'sentinel' ? 26_379 : 6_379));
  if (!host || number < 1 || number > 65_535)
    throw new InvalidRedisUrl(`has a host that is not host or host:port, hosts being separated by commas`, kind);
  return { host, port: number };
}

function sentinelLoginOf(query: string, decode: (part: string) => string): RedisLogin | undefined {
  const given = new Map<string, string>();
  for (const option of query.split('&').filter(Boolean)) {
    const [, name, value] = /^(sentinel_username|sentinel_password)=(.+)$/.exec(option) ?? [];
    if (!name || !value || given.has(name))
      throw new InvalidRedisUrl(
        'has options after ? other than one sentinel_username, one sentinel_password',
        'sentinel',
      );
    given.set(name, decode(value));
  }
  const [username, password] = [given.get('sentinel_username'), given.get('sentinel_password')];
  if (password === undefined) {
    if (username !== undefined) throw new InvalidRedisUrl('has a sentinel_username without password', 'sentinel');
    return undefined;
  }
  return { ...(username !== undefined && { username }), password: new Secret(password) };
}
