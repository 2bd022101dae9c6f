import type { ErrorCode, RejectionView, ServedToken } from '../wire';
import type { FakeClock } from './fake-clock';

export interface FakeClientOptions {
  /** For which a token lasts; 300. */
  lifeSeconds?: number;
  /** What its API wants; absent: `Authorization: Bearer …`. */
  headers?: (accessToken: string) => Record<string, string>;
  /** What the provider tells beside the token. */
  outputs?: Record<string, string>;
}

export interface FakeFailure {
  code: ErrorCode;
  detail?: string;
  reason?: string;
  hint?: string;
  retryAfterSeconds?: number;
}

/** A client of the fake broker's, whose fate is in the hands of the test. */
export class FakeClient {
  readonly name: string;
  /** The ETags that were reported as refused by the provider. */
  readonly rejections: string[] = [];
  readonly #clock: FakeClock;
  readonly #options: Required<Pick<FakeClientOptions, 'lifeSeconds' | 'headers'>> & FakeClientOptions;
  readonly #dead = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #generation = 0;
  #issuedAt = -Infinity;
  #failure: FakeFailure | undefined;
  #disabled = false;

  constructor(name: string, clock: FakeClock, options: FakeClientOptions) {
    [this.name, this.#clock] = [name, clock];
    const headers = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
    this.#options = { lifeSeconds: 300, headers, ...options };
    this.renew();
  }

  get accessToken(): string {
    return `token-${this.#generation}-of-${this.name}`;
  }

  get etag(): string {
    return `"${this.#generation}"`;
  }

  get disabled(): boolean {
    return this.#disabled;
  }

  /** The broker has another token from now on. */
  renew(): void {
    this.#generation++;
    this.#issuedAt = this.#clock.now();
    this.#wake();
  }

  /** Renewals fail from now on, until `recover()`. The present token is served to its end. */
  fail(failure: Partial<FakeFailure> = {}): void {
    const { code = 'token_unavailable', reason = 'provider_unavailable', retryAfterSeconds = 1, ...rest } = failure;
    this.#failure = { code, reason, retryAfterSeconds, ...rest };
  }

  recover(): void {
    this.#failure = undefined;
  }

  disable(disabled = true): void {
    this.#disabled = disabled;
    this.#wake();
  }

  /** The provider does not take the present token any more; the broker does not know yet. */
  killToken(): void {
    this.#dead.add(this.accessToken);
  }

  /** Whether the provider's API would take a request with these headers. */
  accepts(headers: Headers): boolean {
    const wanted = Object.entries(this.#options.headers(this.accessToken));
    return !this.#dead.has(this.accessToken) && wanted.every(([name, value]) => headers.get(name) === value);
  }

  /** What the broker has to give now. */
  serve(minTtl: number): ServedToken | FakeFailure {
    const { lifeSeconds, headers, outputs } = this.#options;
    // As the real one: ahead of need, and on demand for at most 90 % of a life.
    const wanted = Math.max(lifeSeconds / 3, Math.min(minTtl, lifeSeconds * 0.9));
    if (!this.#failure && this.#secondsLeft() < wanted) this.renew();
    const left = Math.floor(this.#secondsLeft());
    if (left <= 0) return this.#failure ?? { code: 'internal' };
    return {
      client: this.name,
      access_token: this.accessToken,
      token_type: 'Bearer',
      expires_in: left,
      expires_at: new Date(this.#clock.now() + left * 1_000).toISOString(),
      headers: headers(this.accessToken),
      ...(outputs && { outputs }),
    };
  }

  reject(etag: unknown): RejectionView {
    this.rejections.push(String(etag));
    if (etag !== this.etag) return { renewal: 'already_replaced' };
    if (this.#failure) return { renewal: 'rate_limited', retry_after: 30 };
    this.renew();
    return { renewal: 'started' };
  }

  /** Until there is another token, the time is over or nobody waits any more. */
  async news(seconds: number, signal: AbortSignal): Promise<void> {
    const { promise, done } = this.#clock.wait(seconds);
    this.#waiting.add(done);
    signal.addEventListener('abort', done, { once: true });
    await promise;
    this.#waiting.delete(done);
    signal.throwIfAborted();
  }

  #secondsLeft(): number {
    return this.#options.lifeSeconds - (this.#clock.now() - this.#issuedAt) / 1_000;
  }

  #wake(): void {
    for (const done of this.#waiting) done();
  }
}
