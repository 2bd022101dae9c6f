import type { AllowedOrigins } from './allowed-origins';
import { OriginNotAllowed } from './errors';
import type { Fetch } from './http/transport';
import type { Token } from './token';

const mostRedirects = 5;

/** A call of a provider's API: sent with a token, and perhaps again with another. */
export class ApiRequest {
  readonly signal: AbortSignal | undefined;
  readonly #url: URL;
  readonly #init: RequestInit;
  readonly #origins: AllowedOrigins;

  /** @throws OriginNotAllowed */
  constructor(input: string | URL | Request, init: RequestInit = {}, origins: AllowedOrigins) {
    const request = typeof input === 'object' && 'headers' in input ? input : undefined;
    this.#url = origins.resolve(request ? request.url : (input as string | URL));
    this.#init = request ? { ...partsOf(request), ...init } : init;
    this.#origins = origins;
    this.signal = this.#init.signal ?? undefined;
  }

  /** A stream that was sent is gone. */
  get repeatable(): boolean {
    return isRepeatable(this.#init.body);
  }

  /** Redirects are followed here, and only to the allowed origins: `fetch` itself would take the token along. */
  async send(token: Token, fetch: Fetch): Promise<Response> {
    const { redirect = 'follow' } = this.#init;
    let url = this.#url;
    let init: RequestInit = { ...this.#init, redirect: 'manual' };
    for (let redirects = 0; ; redirects++) {
      const response = await fetch(presenting(token, url), { ...init, headers: headersFor(token, init) });
      const location = response.headers.get('location');
      if (response.type === 'opaqueredirect') {
        throw new OriginNotAllowed(
          'The API redirects, and this runtime does not tell where to. The token was not sent on.',
        );
      }
      if (redirect === 'manual' || location === null || ![301, 302, 303, 307, 308].includes(response.status)) {
        return response;
      }
      await response.body?.cancel();
      if (redirect === 'error' || redirects === mostRedirects) throw new TypeError('The API redirects once too often.');
      const next = this.#origins.resolve(location, url);
      init = redirected(init, response.status);
      if (!isRepeatable(init.body)) throw new TypeError('The API redirects, and the stream that was sent is gone.');
      url = next;
    }
  }
}

/** No more than every runtime takes. */
function partsOf({ method, headers, body, redirect, signal }: Request): RequestInit {
  return { method, headers, redirect, signal, ...(body && ({ body, duplex: 'half' } as RequestInit)) };
}

function isRepeatable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string' || ArrayBuffer.isView(body)) return true;
  return [URLSearchParams, Blob, FormData, ArrayBuffer].some((Class) => body instanceof Class);
}

function presenting(token: Token, url: URL): URL {
  const presented = new URL(url);
  for (const [name, value] of Object.entries(token.query)) presented.searchParams.set(name, value);
  return presented;
}

/**
 * The caller's headers win where they do not carry the token: an API's attribution may be set for one call, and what a
 * body is made of only the caller knows.
 */
function headersFor(token: Token, { headers: own, body }: RequestInit): Headers {
  const headers = new Headers(own);
  for (const [name, value] of Object.entries(token.headers)) {
    const lower = name.toLowerCase();
    if (lower === 'cookie') {
      headers.set(name, [headers.get(name), value].filter(Boolean).join('; '));
    } else if (value.includes(token.accessToken) || /^(proxy-)?authorization$/.test(lower)) {
      headers.set(name, value);
    } else if (!headers.has(name) && (lower !== 'content-type' || typeof body === 'string')) {
      headers.set(name, value);
    }
  }
  return headers;
}

/** As browsers do (fetch standard, "HTTP-redirect fetch"). */
function redirected(init: RequestInit, status: number): RequestInit {
  const method = (init.method ?? 'GET').toUpperCase();
  const becomesGet = status === 303 ? method !== 'HEAD' : status < 303 && method === 'POST';
  if (!becomesGet) return init;
  const headers = new Headers(init.headers);
  for (const name of ['content-type', 'content-length', 'content-encoding', 'content-language']) headers.delete(name);
  const { body: _, ...rest } = init;
  return { ...rest, method: 'GET', headers };
}
