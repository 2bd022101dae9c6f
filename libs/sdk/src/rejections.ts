import { type Clock, moment, msLeft, unlessAborted } from './clock';
import { TokenBrokerError } from './errors';
import { mayRetry } from './http/retry';
import type { Transport } from './http/transport';
import { pathSegment } from './path';
import type { Token } from './token';
import type { Tokens } from './tokens';
import type { RejectionView } from './wire';

/** For so long a call waits for the token that is to replace a dead one. */
const replacementMs = 10_000;
const pauseMs = 250;
/** What is remembered of a token that was reported and not replaced, so that it is not reported with every call. */
const silenceMs = 30_000;

/** Tells the broker of tokens that the provider refused, each once, and waits for others. */
export class Rejections {
  readonly #parts: { transport: Transport; tokens: Tokens; clock: Clock; random: () => number };
  /** By client: the token reported last, and what came or comes of it. */
  readonly #reported = new Map<string, { etag: string; replacement: Promise<Token | undefined>; until: number }>();

  constructor(parts: { transport: Transport; tokens: Tokens; clock: Clock; random: () => number }) {
    this.#parts = parts;
  }

  /** @throws TokenBrokerError */
  async report(
    token: Pick<Token, 'client' | 'etag'>,
    more: { signal?: AbortSignal | undefined; timeoutMs?: number } = {},
  ): Promise<RejectionView> {
    const { body } = await this.#parts.transport.call({
      method: 'POST',
      path: `/v1/clients/${pathSegment(token.client)}/token/rejections`,
      body: { etag: token.etag },
      repeatable: true, // of a token that is no longer the present one nothing comes
      ...more,
    });
    return body as RejectionView;
  }

  /** Another token in place of the dead one; `undefined` where there is none to be had now. */
  replace(dead: Token, signal?: AbortSignal): Promise<Token | undefined> {
    const now = this.#parts.clock.steady();
    let known = this.#reported.get(dead.client);
    if (known?.etag !== dead.etag || now >= known.until) {
      known = { etag: dead.etag, replacement: this.#replace(dead), until: now + silenceMs };
      this.#reported.set(dead.client, known);
    }
    return unlessAborted(known.replacement, signal);
  }

  async #replace(dead: Token): Promise<Token | undefined> {
    const { tokens, clock, random } = this.#parts;
    const entry = tokens.entryOf(dead);
    const began = moment(clock);
    const left = (): number => msLeft(began, replacementMs, clock);
    try {
      if (entry && !(await this.#accepted(dead, left))) return undefined;
      let canWait = true;
      while (entry?.token?.etag === dead.etag && left() > 0) {
        const query = canWait ? { wait: Math.ceil(left() / 1_000) } : {};
        const asking = tokens.ask(entry, { query, timeoutMs: left() + 1_000, attemptMs: left() + 1_000 });
        const news = await asking.catch((error: unknown) => {
          if (!mayRetry(error)) throw error;
          canWait = false; // too many wait already, perhaps
          return false;
        });
        if (news) break;
        await clock.sleep(pauseMs * (0.5 + random())); // a broker that cannot wait has answered at once
      }
      const present = await tokens.get(dead.client);
      return present.etag === dead.etag ? undefined : present;
    } catch (error) {
      // The caller has the provider's own answer, which says more than that no other token was to be had.
      if (error instanceof TokenBrokerError) return undefined;
      throw error;
    }
  }

  /** Whether the broker has begun to replace it: just issued, it may be a second before it does. */
  async #accepted(dead: Token, left: () => number): Promise<boolean> {
    for (;;) {
      const { renewal, retry_after = Infinity } = await this.report(dead, { timeoutMs: left() });
      if (renewal !== 'rate_limited') return true;
      if (retry_after * 1_000 >= left()) return false;
      await this.#parts.clock.sleep(retry_after * 1_000);
    }
  }
}
