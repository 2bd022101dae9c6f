import { describePlan, planOf } from './plan';

const plans = Array.from({ length: 300 }, (_, seed) => planOf(seed));

it('the same seed draws the same plan, and another seed another one', () => {
  expect(planOf(7)).toEqual(planOf(7));
  expect(new Set(plans.map(describePlan)).size).toBe(plans.length);
});

it('every plan is within its bounds', () => {
  for (const { brokers, clients, loadMs, steps } of plans) {
    expect([1, 2, 3, 4]).toContain(brokers);
    expect(clients.length).toBeGreaterThanOrEqual(3);
    expect(clients.length).toBeLessThanOrEqual(30);
    expect(steps.length).toBeGreaterThanOrEqual(3);
    expect(steps.length).toBeLessThanOrEqual(8);
    expect(steps.every(({ atMs, lastsMs }) => atMs + lastsMs <= loadMs)).toBe(true);
    for (const step of steps) if ('broker' in step) expect(step.broker).toBeLessThan(brokers);
  }
});

it('every kind of fault is drawn', () => {
  const kinds = new Set(plans.flatMap(({ steps }) => steps.map(({ kind }) => kind)));
  expect([...kinds].toSorted()).toEqual([
    ...['clock', 'cutPostgres', 'cutRedis', 'disable', 'flushRedis', 'flushScripts', 'freeze', 'freezeRedis', 'kill'],
    ...['provider', 'remove', 'restartRedis', 'rotate'],
  ]);
});

it('faults of different kinds overlap, and no two work on the same broker, or both on Redis, at once', () => {
  const overlapping = plans.flatMap(({ steps }) =>
    steps.flatMap((one, index) => steps.slice(index + 1).map((other) => [one, other] as const)),
  );
  const together = overlapping.filter(
    ([one, other]) => one.atMs <= other.atMs + other.lastsMs && other.atMs <= one.atMs + one.lastsMs,
  );
  expect(together.length).toBeGreaterThan(100);
  const onBroker = together.filter(
    ([one, other]) => 'broker' in one && 'broker' in other && one.broker === other.broker,
  );
  const onRedis = together.filter(([one, other]) => /redis/i.test(one.kind) && /redis/i.test(other.kind));
  expect([onBroker, onRedis]).toEqual([[], []]);
});
