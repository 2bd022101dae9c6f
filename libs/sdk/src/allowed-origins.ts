import { Misconfigured, OriginNotAllowed } from './errors';

/** The only places that a token may be sent to. */
export class AllowedOrigins {
  readonly #origins: ReadonlySet<string>;
  readonly #first: string;

  constructor(origins: readonly string[]) {
    const read = (Array.isArray(origins) ? origins : []).map(origin);
    const [first] = read;
    if (first === undefined) {
      throw new Misconfigured('fetchFor needs origins: where the token may be sent, such as https://api.example.com.');
    }
    this.#origins = new Set(read);
    this.#first = first;
  }

  /**
   * @param target an address, or a path at the first of the origins
   * @throws OriginNotAllowed
   */
  resolve(target: string | URL, base: string | URL = `${this.#first}/`): URL {
    const url = new URL(target, base);
    if (this.#origins.has(url.origin)) return url;
    const allowed = [...this.#origins].join(', ');
    throw new OriginNotAllowed(`The token is not for ${url.origin}: it may be sent to ${allowed}. Nothing was sent.`);
  }
}

function origin(given: unknown): string {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
  const whole = url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` && !url.host.includes('*');
  if (whole) return url.origin;
  throw new Misconfigured(`${JSON.stringify(given)} is no origin, such as https://api.example.com.`);
}
