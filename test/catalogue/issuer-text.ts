import { createHash, createPublicKey } from 'node:crypto';
import type { SampleClient } from './sample-client';

/** What a text of the catalogue comes to for one client, as the issuer knows it. */
export class Evaluation {
  constructor(
    private readonly client: SampleClient,
    private readonly now: number,
    /** What came about since: the access token, and what earlier answers told. */
    private readonly known: ReadonlyMap<string, string> = new Map(),
  ) {}

  /** @param encode for a path of a URL: how each value is written there */
  text(source: string, encode: (value: string) => string = String): string {
    const [wanted, fallback] = source.split(' || ');
    if (fallback !== undefined) {
      const [, ref] = /\$\{(\w+\.\w+)\}/.exec(wanted!)!;
      return this.text(this.client.has(ref!) ? wanted! : fallback, encode);
    }
    let out = '';
    let at = 0;
    for (let open = source.indexOf('${'); open >= 0; open = source.indexOf('${', at)) {
      let close = open + 2;
      for (let depth = 1; ; close++) {
        if (source[close] === '{') depth++;
        if (source[close] === '}' && --depth === 0) break;
      }
      out += source.slice(at, open) + encode(this.#value(source.slice(open + 2, close)));
      at = close + 1;
    }
    return out + source.slice(at);
  }

  #value(inner: string): string {
    const [, call, argument] = /^(\w+)\((.*)\)$/.exec(inner) ?? [];
    if (call === 'base64') return Buffer.from(this.text(argument!)).toString('base64');
    if (call === 'fingerprint') {
      const der = createPublicKey(this.text(argument!)).export({ type: 'spki', format: 'der' });
      return `SHA256:${createHash('sha256').update(der).digest('base64')}`;
    }
    if (inner === 'now+7:days:YYYY-MM-DD') return new Date(this.now + 7 * 86_400_000).toISOString().slice(0, 10);
    const [, part] = /^credentials\.privateKey\.(id|secret)$/.exec(inner) ?? [];
    if (part) return this.client.value('privateKey').split(':')[part === 'id' ? 0 : 1]!;
    return this.known.get(inner) ?? this.client.value(inner);
  }
}
