import type { IncomingMessage, ServerResponse } from 'node:http';
import { CallsPerSecond } from './calls-per-second';
import { tokenAnswer } from './answers';

export interface BulkOptions {
  /** Life of every token. */
  ttlSeconds: number;
  /** Length of every token; Capillary's have some 900. */
  tokenBytes: number;
}

const tokenPath = '/v3/oauth/token/generate';
const serialDigits = 12;
const header = base64url({ kid: 'k1', alg: 'RS256' });

/**
 * Issues tokens to whoever asks, as fast as Node can: no framework, no client, no mode, no ledger, no signature. What a
 * benchmark measures is then not the simulator. The tokens look like the others and no two are alike.
 */
export class BulkIssuer {
  readonly calls = new CallsPerSecond();
  issued = 0;
  readonly #filler: string;
  #serial = 0;
  /** All of an answer but the token's last characters; made once a second, since `exp` changes. */
  #prepared = { second: -1, before: '', after: '', bytes: 0 };

  constructor(
    readonly options: BulkOptions,
    private readonly now: () => number,
  ) {
    const random = crypto.getRandomValues(new Uint8Array(options.tokenBytes));
    this.#filler = Buffer.from(random).toString('base64url');
  }

  /** Whether this is a token request: then it gets its answer from here. */
  takes(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.url !== tokenPath || request.method !== 'POST') return false;
    this.calls.count(this.now());
    request.resume();
    request.once('end', () => this.#answer(response));
    return true;
  }

  reset(): void {
    this.issued = 0;
    this.calls.reset();
  }

  #answer(response: ServerResponse): void {
    const { before, after, bytes } = this.#prepare();
    const serial = (this.#serial += 1).toString(36).padStart(serialDigits, '0');
    response.writeHead(200, [
      ...['content-type', 'application/json; charset=utf-8'],
      ...['content-length', String(bytes)],
      ...['x-cap-requestid', `bulk-${serial}`],
    ]);
    response.end(before + serial + after);
    this.issued += 1;
  }

  #prepare() {
    const second = Math.floor(this.now() / 1_000);
    if (second === this.#prepared.second) return this.#prepared;
    const { ttlSeconds, tokenBytes } = this.options;
    // Rounded up: of a life scaled down to few seconds, what is cut off would be much.
    const exp = second + 1 + Math.ceil(ttlSeconds);
    const claims = { iss: 'Capillary', exp, iat: second, token_use: 'token_access' };
    const start = `${header}.${base64url(claims)}.`;
    const token = start + this.#filler.slice(0, tokenBytes - serialDigits - start.length);
    const mark = '\n';
    const [before, after] = tokenAnswer(token + mark, ttlSeconds).body.split(JSON.stringify(mark).slice(1, -1));
    const bytes = before!.length + serialDigits + after!.length;
    this.#prepared = { second, before: before!, after: after!, bytes };
    return this.#prepared;
  }
}

function base64url(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url');
}
