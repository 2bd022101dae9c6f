import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Deadline } from './deadline';

describe('a deadline', () => {
  it('aborts when its time is up', async () => {
    const deadline = new Deadline(1);
    await delay(20);
    expect([deadline.signal.aborted, deadline.why]).toEqual([true, 'deadline']);
  });

  it('aborts with its caller, also one who gave up before', () => {
    const caller = new AbortController();
    const deadline = new Deadline(60_000, caller.signal);
    expect(deadline.why).toBeUndefined();
    caller.abort();
    for (const one of [deadline, new Deadline(60_000, caller.signal)]) {
      expect([one.signal.aborted, one.why]).toEqual([true, 'cancelled']);
      one.clear();
    }
  });

  it('is held by nobody once it is cleared', async () => {
    const caller = new AbortController();
    const deadline = new Deadline(1, caller.signal);
    deadline.clear();
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
    await delay(20);
    expect(deadline.signal.aborted).toBe(false);
  });
});
