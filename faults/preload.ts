/**
 * Loaded into a broker's process before everything else (`node --require`): moves its wall clock, or blocks its event
 * loop, when SIGUSR2 says that the control file has changed. Nothing of this is in the broker itself.
 */
import { readFileSync, writeFileSync } from 'node:fs';

export interface Control {
  /** Added to Date; the monotonic clock stays. */
  shiftMs?: number;
  blockMs?: number;
}

const file = process.env.FAULTS_CONTROL;
const RealDate = Date;
let shiftMs = 0;

class ShiftedDate extends RealDate {
  constructor(...given: [] | [string | number | Date]) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(...given);
  }

  static override now(): number {
    return RealDate.now() + shiftMs;
  }
}

if (file) {
  globalThis.Date = ShiftedDate as DateConstructor;
  process.on('SIGUSR2', () => {
    const control = JSON.parse(readFileSync(file, 'utf8')) as Control;
    shiftMs = control.shiftMs ?? 0;
    writeFileSync(`${file}.done`, ''); // before it blocks
    const until = performance.now() + (control.blockMs ?? 0);
    while (performance.now() < until); // nothing else runs meanwhile
  });
}
