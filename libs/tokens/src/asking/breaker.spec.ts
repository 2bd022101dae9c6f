import { Breaker, type BreakerState, type Ticket } from './breaker';
import { RetryBudget } from './retry-budget';

describe('the breaker of a provider', () => {
  let now: number;
  let heard: BreakerState[];
  let breaker: Breaker;
  beforeEach(() => {
    now = 1_000;
    heard = [];
    breaker = new Breaker(
      () => now,
      (state) => heard.push(state),
    );
  });
  const ask = (): Ticket => {
    const ticket = breaker.ask();
    if ('waitMs' in ticket) throw new Error(`no ticket for ${ticket.waitMs} ms`);
    return ticket;
  };
  const calls = (count: number, answered: boolean | undefined, everyMs = 0) => {
    for (let i = 0; i < count; i++) {
      breaker.settle(ask(), answered);
      now += everyMs;
    }
  };
  const open = () => calls(20, false);

  it('opens when half of twenty calls within ten seconds failed, and not before', () => {
    calls(10, true);
    calls(9, false);
    expect(breaker.state).toBe('closed');
    calls(1, false);
    expect(breaker.state).toBe('open');
    expect(breaker.ask()).toEqual({ waitMs: 5_000 });
  });

  it('stays closed while more than half are answered, while calls are few, and by failures of long ago', () => {
    calls(60, true);
    calls(55, false);
    now += 10_000;
    calls(19, false, 1_000);
    now += 3_600_000;
    calls(19, false);
    expect(heard).toEqual([]);
  });

  it('lets one request through every five seconds while it is open', () => {
    open();
    let through = 0;
    for (let passed = 0; passed < 60_000; passed += 100, now += 100) {
      const ticket = breaker.ask();
      if ('waitMs' in ticket) continue;
      through++;
      breaker.settle(ticket, false);
    }
    expect(through).toBe(11);
  });

  it('closes when the probe is answered, and begins to count anew', () => {
    open();
    now += 5_000;
    breaker.settle(ask(), true);
    calls(19, false);
    expect(heard).toEqual(['open', 'half_open', 'closed']);
  });

  it('sends another probe when nothing is heard of the last, or nothing learnt from it', () => {
    open();
    now += 5_000;
    ask();
    expect(breaker.ask()).toEqual({ waitMs: 5_000 });
    now += 5_000;
    breaker.settle(ask(), undefined);
    now += 5_000;
    expect(ask().probe).toBe(true);
  });

  it('is not opened again by a probe that fails after a later one was answered', () => {
    open();
    now += 5_000;
    const silent = ask();
    now += 5_000;
    breaker.settle(ask(), true);
    breaker.settle(silent, false);
    expect(heard).toEqual(['open', 'half_open', 'closed']);
  });

  it('takes no late answer to a request sent before for the one to its probe', () => {
    const sentBefore = ask();
    open();
    breaker.settle(sentBefore, true);
    expect(breaker.state).toBe('open');
  });
});

describe('the budget of retries', () => {
  it('of a provider that answers nothing lets a tenth of the calls be repeated, and one a second', () => {
    let now = 0;
    const budget = new RetryBudget(() => now);
    while (budget.take()); // what it has at the beginning
    let retries = 0;
    for (let second = 0; second < 100; second++, now += 1_000) {
      for (let call = 0; call < 50; call++) {
        budget.called();
        if (budget.take()) retries++;
      }
    }
    expect(retries).toBeGreaterThan(550);
    expect(retries).toBeLessThanOrEqual(600);
  });

  it('does not hold up retries that succeed', () => {
    const budget = new RetryBudget(() => 0);
    while (budget.take());
    budget.giveBack();
    let inARow = 0;
    for (let at: number = 1; inARow < 1_000 && at > 0; inARow += at) {
      at = 0;
      while (budget.take()) at++;
      for (let i = 0; i < at; i++) budget.succeeded();
    }
    expect(inARow).toBeGreaterThanOrEqual(1_000);
  });
});
