import type { Access, AccessEpoch, KeyAccess, ServiceAccess } from '#registry';
import { ApiKeys, KeyRing, newMasterKey } from '#vault';
import { Authenticator } from './authenticator';
import { Proxies } from './proxies';
import { Seldom } from './seldom';

/** A database that hangs or errs when told to: a real one cannot be made to, to the millisecond. */
export class ScriptedAccess {
  asked: string[] = [];
  readonly stored = new Map<string, KeyAccess>();
  readonly granted = new Map<string, ServiceAccess>();
  marks = { found: '1', missing: '1', prefixes: '1' };
  answer: <T>(value: T) => Promise<T> = async (value) => value;

  epoch(): Promise<AccessEpoch> {
    this.asked.push('epoch');
    return this.answer({ ...this.marks });
  }

  prefixes(): Promise<{ epoch: AccessEpoch; prefixes: string[] }> {
    this.asked.push('prefixes');
    return this.answer({ epoch: { ...this.marks }, prefixes: [...this.stored.keys()] });
  }

  keys(prefixes: string[]) {
    this.asked.push(...prefixes);
    return this.answer({ epoch: { ...this.marks }, found: pick(this.stored, prefixes) });
  }

  grants(pairs: string[]) {
    this.asked.push(...pairs);
    const ofReader = pairs.filter((pair) => pair.startsWith('reader ')).map((pair) => [pair, {}] as const);
    return this.answer({ epoch: { ...this.marks }, found: new Map([...ofReader, ...pick(this.granted, pairs)]) });
  }

  /** Something of what there was is another, or gone. */
  change(): void {
    this.marks = {
      found: `${this.marks.found}+`,
      missing: `${this.marks.missing}+`,
      prefixes: `${this.marks.prefixes}+`,
    };
  }

  takeAsked(): string[] {
    return this.asked.splice(0);
  }
}

function pick<V>(from: Map<string, V>, ids: string[]): Map<string, V> {
  return new Map(ids.flatMap((id) => (from.has(id) ? [[id, from.get(id)!] as const] : [])));
}

export const apiKeys = new ApiKeys(KeyRing.parse(newMasterKey('k')));
const { key, prefix: itsPrefix, ...stored } = apiKeys.mint('tbk');
export const prefix = itsPrefix;
/** Of the service "reader". */
export const bearer = `Bearer ${key.reveal()}`;

/** An authenticator to which there is one service, "reader", which may have the client "eu" and not "us". */
export function withReader(access: ScriptedAccess, monotonic: () => number): Authenticator {
  const row = { keyId: '1', stored, expiresAt: null, revokedAt: null, role: null, name: null, service: 'reader' };
  access.stored.set(prefix, row);
  access.granted.set('reader eu', { client: { clientId: 'c', enabled: true } });
  access.granted.set('reader us', {});
  const [seldom, proxies] = [new Seldom(() => undefined), new Proxies(['10.0.0.0/8'])];
  return new Authenticator({ access: access as unknown as Access, apiKeys, seldom, proxies, monotonic });
}
