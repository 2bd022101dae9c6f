import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clients } from '#registry';
import {
  conditionOf,
  conditions,
  rejectionResults,
  type TokenEvent,
  type TokenEvents,
  type TokenService,
} from '#tokens';
import { type RefusalReason, refusalReasons } from '../auth/principal';

export type Served = 'hit' | 'miss' | 'not_modified' | 'refused';

const servedResults: Served[] = ['hit', 'miss', 'not_modified', 'refused'];
/** Beyond this many, series per client would cost more than they tell; the totals go on. */
const maxClientSeries = 2_000;
const overviewClients = 1;

/** The contract's series. An observer of the token logic, which knows nothing of metrics. */
export class Metrics implements TokenEvents {
  readonly registry = new Registry();
  readonly #renewals = this.#counter('renewals_total', 'Renewals by outcome.', ['provider', 'outcome', 'reason']);
  readonly #calls = this.#counter('provider_calls_total', 'Calls of token endpoints, by HTTP status.', [
    'provider',
    'status',
  ]);
  readonly #served = this.#counter(
    'tokens_served_total',
    'Answers to who asks for a token, by the token route or a facade.',
    ['result'],
  );
  readonly #rejections = this.#counter('rejections_total', 'Tokens that services say their provider refuses.', [
    'result',
  ]);
  readonly #audited = this.#counter('audited_reads_total', 'Reads that are to be audited: written, or lost.', [
    'result',
  ]);
  readonly #refused = this.#counter('refusals_total', "Requests that were nobody's, by reason.", ['reason']);
  readonly #duration = new Histogram({
    name: 'tokenbroker_renewal_duration_seconds',
    help: 'From before the token request to its end.',
    labelNames: ['provider'],
    buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8],
    registers: [this.registry],
  });
  readonly #proxied = new Histogram({
    name: 'tokenbroker_proxy_duration_seconds',
    help: "From a call's arrival at the proxy to the head of its answer; without one, `unreachable` or `timeout`.",
    labelNames: ['provider', 'status_class'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  });
  readonly #lag = new Histogram({
    name: 'tokenbroker_renewal_lag_seconds',
    help: 'How late scheduled renewals were claimed.',
    // Due renewals are looked for some four times a second: most of what there is to see lies below half a second.
    buckets: [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 15, 30, 60],
    registers: [this.registry],
  });
  readonly #gauges = {
    expiry: this.#gauge('token_expiry_timestamp_seconds', 'When the token stops being servable.', ['client']),
    runway: this.#gauge('token_runway_seconds', 'For how long the token may still be served; 0 when it is dead.', [
      'client',
    ]),
    ready: this.#gauge('client_ready', '1 while a token can be served.', ['client', 'condition']),
    clients: this.#gauge('clients', 'Clients in each condition.', ['condition']),
    breaker: this.#gauge(
      'breaker_state',
      '0 closed, 0.5 half open, 1 open: the worst of the breakers that this process has for the hosts of the provider.',
      ['provider'],
    ),
    due: this.#gauge('queue_due', 'Clients whose renewal is due now; NaN while the token store does not answer.', []),
    depth: this.#gauge('queue_depth', 'Clients in the renewal queue; NaN while the token store does not answer.', []),
    waiting: this.#gauge('token_waiters', 'Requests that wait here for the next token (`wait`).', []),
    cache: this.#gauge('cache_entries', 'Tokens in this process.', []),
  };
  readonly #servedBy: Record<Served, Counter.Internal>;

  /** Presets, and whatever else was asked for a token. */
  readonly #providers: Set<string>;

  constructor(private readonly sources: { providers: string[]; clients: Clients; tokens: () => TokenService }) {
    collectDefaultMetrics({ register: this.registry });
    this.#providers = new Set(sources.providers);
    this.#servedBy = Object.fromEntries(servedResults.map((result) => [result, this.#served.labels(result)])) as Record<
      Served,
      Counter.Internal
    >;
    // A series that does not exist yet cannot be alerted on.
    for (const result of servedResults) this.#servedBy[result].inc(0);
    for (const result of rejectionResults) this.#rejections.inc({ result }, 0);
    for (const result of ['written', 'lost'] as const) this.readsAudited(result, 0);
    for (const reason of refusalReasons) this.#refused.inc({ reason }, 0);
    for (const provider of this.#providers) {
      this.#renewals.inc({ provider, outcome: 'renewed', reason: '' }, 0);
      this.#calls.inc({ provider, status: '200' }, 0);
      this.#duration.zero({ provider });
      this.#proxied.zero({ provider, status_class: '2xx' });
    }
  }

  served(result: Served): void {
    this.#servedBy[result].inc();
  }

  readsAudited(result: 'written' | 'lost', reads: number): void {
    this.#audited.inc({ result }, reads);
  }

  refused(reason: RefusalReason): void {
    this.#refused.inc({ reason });
  }

  /** So many requests wait for the next token. */
  waiting(count: number): void {
    this.#gauges.waiting.set(count);
  }

  /** @param statusClass of the answer, `2xx` and so on; `unreachable` or `timeout` where there was none */
  proxied(provider: string, statusClass: string, durationMs: number): void {
    this.#proxied.observe({ provider, status_class: statusClass }, durationMs / 1_000);
  }

  providerCalled({ provider, status }: TokenEvent<'providerCalled'>): void {
    this.#calls.inc({ provider, status });
    this.#providers.add(provider);
  }

  tokenRejected({ renewal }: TokenEvent<'tokenRejected'>): void {
    this.#rejections.inc({ result: renewal });
  }

  heldBack({ provider, why }: TokenEvent<'heldBack'>): void {
    this.#renewals.inc({ provider, outcome: 'held_back', reason: why });
  }

  renewed({ provider, durationMs, latenessMs }: TokenEvent<'renewed'>): void {
    this.#ended(provider, 'renewed', '', durationMs, latenessMs);
  }

  tokenDiscarded({ provider, durationMs, latenessMs, why }: TokenEvent<'tokenDiscarded'>): void {
    this.#ended(provider, 'discarded', why, durationMs, latenessMs);
  }

  renewalFailed({ provider, durationMs, latenessMs, failure }: TokenEvent<'renewalFailed'>): void {
    this.#ended(provider, 'failed', failure.code, durationMs, latenessMs);
  }

  /** The Prometheus text format. What cannot be read from database or store is left out or NaN, the rest stands. */
  async scrape(): Promise<string> {
    await Promise.allSettled([this.#collectClients(), this.#collectQueue()]);
    this.#gauges.cache.set(this.sources.tokens().cacheEntries);
    this.#collectBreakers();
    return this.registry.metrics();
  }

  async #collectClients(): Promise<void> {
    const { expiry, runway, ready, clients } = this.#gauges;
    for (const gauge of [expiry, runway, ready, clients]) gauge.reset();
    const counts = await this.sources.clients.countByCondition();
    for (const condition of conditions) clients.set({ condition }, counts.get(condition) ?? 0);
    const { items } = await this.sources.clients.list({ limit: maxClientSeries });
    const active = items.filter(({ enabled }) => enabled);
    const states = await this.sources.tokens().states(active.map(({ id }) => id));
    for (const [index, { name: client }] of active.entries()) {
      const state = states[index]!;
      const seconds = Math.max(0, (state.token?.runwayMs ?? 0) / 1_000);
      runway.set({ client }, seconds);
      if (state.token) expiry.set({ client }, Date.now() / 1_000 + state.token.runwayMs / 1_000);
      ready.set({ client, condition: conditionOf(state) }, seconds > 0 ? 1 : 0);
    }
  }

  #collectBreakers(): void {
    const { breaker } = this.#gauges;
    breaker.reset();
    for (const provider of this.#providers) breaker.set({ provider }, 0);
    const troubled = this.sources.tokens().breakers();
    for (const { provider } of troubled.filter(({ state }) => state === 'half_open')) breaker.set({ provider }, 0.5);
    for (const { provider } of troubled.filter(({ state }) => state === 'open')) breaker.set({ provider }, 1);
  }

  async #collectQueue(): Promise<void> {
    // Neither 0 nor what was last: alerts would be quiet, or fire, about a queue that nobody sees. The series stay.
    const unknown = { depth: NaN, due: NaN };
    const { depth, due } = await this.sources
      .tokens()
      .overview(overviewClients)
      .catch(() => unknown);
    this.#gauges.depth.set(depth);
    this.#gauges.due.set(due);
  }

  #ended(provider: string, outcome: string, reason: string, durationMs: number, latenessMs: number | undefined): void {
    this.#renewals.inc({ provider, outcome, reason });
    this.#duration.observe({ provider }, durationMs / 1_000);
    if (latenessMs !== undefined) this.#lag.observe(latenessMs / 1_000);
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `tokenbroker_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name: `tokenbroker_${name}`, help, labelNames, registers: [this.registry] });
  }
}
