import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { percentiles } from './figures';
import { applyLoad, type Load } from './load';
import { installed, NotInstalled } from './others/installed';

export type SteadyLoad = Omit<Load, 'paths'> & { path: string; seconds: number; ratePerSecond: number };

export interface SteadyResult {
  /** ms */
  p50: number;
  p99: number;
  requestsPerSecond: number;
  /** What sent the requests, in words. */
  generator: string;
}

/** Connections are opened one after the other, so that they do not all send at the same moments ever after. */
const msBetweenConnections = 1;

/**
 * Latencies at a rate that is kept up whether or not answers come. By h2load, in C, since a generator in Node sends in
 * bursts of its timer's millisecond, and has pauses of its own.
 */
export async function applySteadyLoad(load: SteadyLoad): Promise<SteadyResult> {
  try {
    return await byH2load(installed('h2load', 'nghttp2-client'), load);
  } catch (error) {
    if (!(error instanceof NotInstalled)) throw error;
    return {
      ...(await applyLoad({ ...load, paths: [load.path] })),
      generator: `a generator in Node: ${error.message}`,
    };
  }
}

async function byH2load(program: string, load: SteadyLoad): Promise<SteadyResult> {
  const { url, path, headers, connections, seconds, ratePerSecond } = load;
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-load-'));
  const log = join(folder, 'log');
  const perConnection = ratePerSecond / connections;
  const args = [
    ...['--h1', `--clients=${connections}`, `--rps=${perConnection}`],
    ...['--rate=1', `--rate-period=${msBetweenConnections}ms`],
    ...[`--requests=${Math.ceil(perConnection * seconds) * connections}`, `--log-file=${log}`],
    ...Object.entries(headers).map(([name, value]) => `--header=${name}: ${value}`),
    `${url}${path}`,
  ];
  try {
    await promisify(execFile)(program, args, { timeout: (seconds * 3 + 20) * 1_000 });
    const answers = answersIn(readFileSync(log, 'latin1'), 2 * connections * msBetweenConnections);
    const waited = sinceDue(answers, 1_000 / perConnection);
    return { ...percentiles(waited), requestsPerSecond: rateOf(answers), generator: 'h2load' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Answer {
  startMs: number;
  ms: number;
}

/** From lines of start in us, status, and duration in us; those without that were sent while connections were being opened. */
export function answersIn(log: string, warmUpMs: number): Answer[] {
  const lines = log.trimEnd().split('\n');
  const answers = lines.map((line): Answer => {
    const [start, status, duration] = line.split('\t').map(Number);
    if (status !== 200) throw new Error(`Not an answer that is expected: ${status ?? 'none'}`);
    return { startMs: start! / 1_000, ms: duration! / 1_000 };
  });
  const from = answers.reduce((first, { startMs }) => Math.min(first, startMs), Infinity) + warmUpMs;
  return answers.filter(({ startMs }) => startMs >= from);
}

/**
 * What came due on a connection while it waited for its answer was sent late, and is not told: it waited for what was
 * left of that, as HdrHistogram corrects for coordinated omission.
 */
export function sinceDue(answers: Answer[], everyMs: number): number[] {
  return answers.flatMap(({ ms }) => {
    const waited = [ms];
    for (let left = ms - everyMs; left >= everyMs; left -= everyMs) waited.push(left);
    return waited;
  });
}

function rateOf(answers: Answer[]): number {
  const starts = answers.map(({ startMs }) => startMs).sort((a, b) => a - b);
  return ((starts.length - 1) / (starts.at(-1)! - starts[0]!)) * 1_000;
}
