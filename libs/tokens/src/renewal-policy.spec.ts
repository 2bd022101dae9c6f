import fc from 'fast-check';
import type { ProviderDefinition } from '#providers';
import { keepsItsEnd, retryDelayMs, scheduleOf } from './renewal-policy';

const lives = fc.double({ min: 0.001, max: 1e9, noNaN: true });
const random = fc.double({ min: 0, max: 0.999_999, noNaN: true });
const refused = { code: 'credentials_refused' as const };
const down = (retryAfterSeconds = 0) => ({ code: 'provider_unavailable', retryAfterSeconds });

const plain = (lifeSeconds: number, chance: number) => scheduleOf({ lifeSeconds }, {}, () => chance);

describe('the schedule of a token', () => {
  it('renews at 60 to 70 % of its life and always before it stops being served', () => {
    fc.assert(
      fc.property(lives, random, (life, chance) => {
        const { servableLifeMs, renewAtMs, marginMs } = plain(life, chance);
        expect(servableLifeMs + marginMs).toBeCloseTo(life * 1_000);
        expect(renewAtMs).toBeLessThan(servableLifeMs);
        expect(renewAtMs).toBeLessThanOrEqual(life * 700);
        expect(renewAtMs).toBeGreaterThanOrEqual(Math.min(life * 600, 30 * 24 * 3_600_000) - 1e-6);
      }),
    );
  });

  it('keeps a margin of a tenth of the life, of 30 s at most', () => {
    expect(plain(6, 0).servableLifeMs).toBe(5_400);
    expect(plain(300, 0).servableLifeMs).toBe(270_000);
    expect(plain(86_400, 0).servableLifeMs).toBe(86_370_000);
  });

  it('is inside the window in which there is another token, where that is known, and leaves time to ask twice', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 60, max: 3_600 }),
        fc.integer({ min: 10, max: 86_400 }),
        random,
        (window, more, chance) => {
          const lifeMs = (window + more) * 1_000;
          const schedule = scheduleOf({ lifeSeconds: window + more }, { sticky_window_s: window }, () => chance);
          expect(schedule.renewAtMs).toBeGreaterThanOrEqual(lifeMs - window * 900);
          expect(schedule.servableLifeMs - schedule.renewAtMs).toBeGreaterThanOrEqual(10_000);
          expect(schedule.nextBeforeEndMs).toBeCloseTo(lifeMs - schedule.renewAtMs);
        },
      ),
    );
  });

  it('keeps no more than a second of margin where the next token comes only after the end of this one', () => {
    const { servableLifeMs, renewAtMs } = scheduleOf({ lifeSeconds: 3_600 }, { sticky_window_s: 0 }, () => 0.5);
    expect(servableLifeMs).toBe(3_599_000);
    expect(renewAtMs).toBe(3_601_500);
  });

  it('knows of no window in a life that its client may not have to its end, or that is in the window already', () => {
    const parts = { lifeSeconds: 300, toldSeconds: 3_600 };
    expect(scheduleOf(parts, { sticky_window_s: 60 }, () => 0)).toEqual({ ...plain(300, 0), marginMs: 3_330_000 });
    expect(scheduleOf({ lifeSeconds: 40 }, { sticky_window_s: 60 }, () => 0)).toEqual(plain(40, 0));
  });

  it('of a token that the next one ends is late, yet with time for two attempts while that is served', () => {
    fc.assert(
      fc.property(fc.double({ min: 300, max: 1e6, noNaN: true }), random, (life, chance) => {
        const { servableLifeMs, renewAtMs } = scheduleOf({ lifeSeconds: life }, { single_live: true }, () => chance);
        expect(renewAtMs).toBeGreaterThan(life * 750);
        expect(renewAtMs).toBeLessThanOrEqual(life * 880 + 1e-3);
        expect(servableLifeMs - renewAtMs).toBeGreaterThanOrEqual(20_000 - 1e-3);
      }),
    );
  });
});

describe('a token that comes again', () => {
  const definition = (expiry: object[], over: object = {}) =>
    ({ steps: [{}], token: { expiry }, ...over }) as unknown as ProviderDefinition;
  const told = { in: '{{ steps.token.body.expires_in }}' };

  it.each([
    ['the answer tells its life', definition([told, { fixed_s: 300 }]), true],
    ['the answer tells its end', definition([{ at: '{{steps.token.body.expires}}' }]), true],
    ['it tells its own end', definition([{ jwt_exp: true }]), true],
    ['it is said to be repeated', definition([{ fixed_s: 300 }], { renew: { sticky_window_s: 0 } }), true],
    ['its life is always the same', definition([{ jwt_exp: true }, { fixed_s: 300 }]), false],
    ['its life is what the client says', definition([{ in: '{{inputs.minutes}}' }]), false],
    ['it was made without asking anyone', definition([{ jwt_exp: true }], { steps: [] }), false],
  ])('where %s has the end that it had: %#', (_, its, expected) => {
    expect(keepsItsEnd(its)).toBe(expected);
  });
});

describe('the next attempt', () => {
  it('comes soon at first, later and later, within 30 s while a token is served and 5 min afterwards', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), random, fc.boolean(), (failures, chance, servable) => {
        const delay = retryDelayMs(down(), { failures, refusals: 0, servable }, () => chance);
        expect(delay).toBeGreaterThanOrEqual(250);
        expect(delay).toBeLessThanOrEqual(Math.min(servable ? 30_000 : 300_000, 1_000 * 2 ** (failures - 1)));
      }),
    );
  });

  it("honours the provider's Retry-After, up to 5 min", () => {
    const first = { failures: 1, refusals: 0, servable: true };
    expect(retryDelayMs(down(120), first, () => 0.5)).toBe(120_000);
    expect(retryDelayMs(down(1e9), first, () => 0.5)).toBe(300_000);
    expect(retryDelayMs(down(0), first, () => 0.5)).toBe(625);
  });

  it('after a second refusal is a slow probe, but one refusal alone does not condemn', () => {
    expect(retryDelayMs(refused, { failures: 1, refusals: 1, servable: true }, () => 0.5)).toBeLessThan(1_000);
    for (const chance of [0, 0.999]) {
      const delay = retryDelayMs(refused, { failures: 2, refusals: 2, servable: true }, () => chance);
      expect(delay).toBeGreaterThanOrEqual(240_000);
      expect(delay).toBeLessThanOrEqual(360_000);
    }
  });
});
