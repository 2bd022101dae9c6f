import type { Record } from '../record';
import { generationsNeverRegress, goodTokensAreServed, nothingDeadIsServed, rotationsHold } from './answers';
import { callsAreFew, noHotLoops, quotasHold, renewalsAreInTime } from './calls';
import { nobodyIsForgotten } from './queue';
import type { Violation } from './violation';

/** Every scene has to pass all of them, whatever its row expects besides. */
const checks: ((record: Record) => Violation[])[] = [
  nothingDeadIsServed,
  callsAreFew,
  noHotLoops,
  renewalsAreInTime,
  generationsNeverRegress,
  rotationsHold,
  nobodyIsForgotten,
  quotasHold,
  goodTokensAreServed,
];

export function violationsOf(record: Record): Violation[] {
  return checks.flatMap((check) => check(record)).toSorted((a, b) => a.at - b.at);
}
