import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { violationsOf } from './checks/all';
import type { Violation } from './checks/violation';
import type { Record } from './record';
import { CouldNotRun } from './redis-clock';
import { Scene, type RigOptions } from './scene';

export interface Result {
  name: string;
  inject: string;
  expected: string;
  seen: string;
  pass: boolean;
  seconds: number;
  /** What does not fit, and what the brokers said of it. */
  lines: string[];
  /** Where the record was written. */
  recordFile?: string;
}

export interface Play {
  name: string;
  inject: string;
  expected: string;
  rig?: RigOptions;
  run(scene: Scene): Promise<string>;
}

/** By then something hangs; every wait of a row has a shorter deadline of its own. */
const deadlineMs = 300_000;
const shownLines = 12;

/** Plays it on a rig of its own, checks every invariant on the record, and writes the record down when one does not hold. */
export async function play({ name, inject, expected, rig, run }: Play, keepIn?: string): Promise<Result> {
  const begun = Date.now();
  const result = (seen: string, pass: boolean): Result => {
    return { name, inject, expected, seen, pass, seconds: (Date.now() - begun) / 1_000, lines: [] };
  };
  let scene: Scene | undefined;
  try {
    scene = await Scene.start(rig);
    const outcome = await within(run(scene)).then(
      (seen) => result(seen, true),
      (error: Error) => ({ ...result(error.message.split('\n')[0]!, false), lines: [error.stack ?? error.message] }),
    );
    const record = await scene.finish();
    const violations = violationsOf(record);
    const judged = { ...outcome, pass: outcome.pass && violations.length === 0 };
    if (violations.length > 0) judged.seen += `; ${broken(violations)}`;
    judged.lines.push(...violations.slice(0, shownLines).map(({ invariant, what }) => `${invariant}: ${what}`));
    if (judged.pass && keepIn === undefined) return judged;
    return { ...judged, recordFile: write(record, { ...judged, violations }, keepIn) };
  } catch (error) {
    const { message, stack } = error as Error;
    const seen = error instanceof CouldNotRun ? `could not run: ${message}` : `the rig failed: ${message}`;
    return { ...result(seen.split('\n')[0]!, false), lines: [stack ?? message] };
  } finally {
    await scene?.stop();
  }
}

function broken(violations: Violation[]): string {
  const counts = new Map<string, number>();
  for (const { invariant } of violations) counts.set(invariant, (counts.get(invariant) ?? 0) + 1);
  return [...counts].map(([invariant, count]) => `${invariant} broken ${count} times`).join(', ');
}

async function within(work: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${deadlineMs / 1_000} s`)), deadlineMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function write(record: Record, judged: { name: string; violations: Violation[] }, keepIn?: string): string {
  const folder = keepIn ?? mkdtempSync(join(tmpdir(), 'token-broker-faults-record-'));
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${judged.name.replaceAll(/\W+/g, '-')}.json`);
  writeFileSync(file, JSON.stringify({ ...judged, record }, null, 1));
  return file;
}
