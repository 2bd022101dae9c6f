import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { provisionerVariable, runPidVariable } from './provisioned';

/**
 * Ties the end of something to the end of this process, however this process ends: teardown, Ctrl-C, `kill -9`. A shell
 * in a session of its own waits for the pipe to this process to close, which the kernel does in every case, and only
 * then runs the script. No signal handler could promise as much.
 *
 * @returns runs the script now and waits until it is done
 */
export function leash(script: string, args: string[]): () => Promise<void> {
  endWithTheRun();
  // The signals of a Ctrl-C reach whole groups: the shell must outlive them to clean up.
  const shell = spawn('/bin/sh', ['-c', `trap '' INT TERM HUP\ncat >/dev/null\n${script}`, 'leash', ...args], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  const ended = once(shell, 'exit');
  letGo(shell);
  return async () => {
    shell.ref();
    shell.stdin.end();
    if (shell.exitCode === null) await ended;
  };
}

/** What a suite forgot to stop must not keep Jest from ending: its leash stops it then. */
export function letGo(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) (stream as Socket | null)?.unref();
}

let following = false;

/**
 * Jest's workers outlive a killed Jest until their test ends, and with them what they started. So each holds a connection
 * to Jest's own process, and ends at once when the kernel closes it.
 */
function endWithTheRun(): void {
  const { [provisionerVariable]: address, [runPidVariable]: runPid } = process.env;
  if (following || !address || Number(runPid) === process.pid) return;
  following = true;
  const end = process.kill.bind(process, process.pid, 'SIGKILL');
  connect(Number(new URL(address).port), '127.0.0.1')
    .on('error', () => undefined)
    .on('close', end)
    .unref();
}

const endProcess = `
pid=$1 signal=$2 folder=$3
runs() { kill -0 "$pid" 2>/dev/null && ! grep -q ') Z ' "/proc/$pid/stat" 2>/dev/null; } # a zombie has ended
if [ "$pid" -gt 1 ]; then
  kill -"$signal" "$pid" 2>/dev/null
  tries=0
  while runs && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
  kill -KILL "$pid" 2>/dev/null
fi
[ -z "$folder" ] || rm -rf -- "$folder"
`;

/** Ends the process with the signal (after 5 s with KILL) and removes the folder that it wrote to. */
export function leashProcess(pid: number, signal: 'TERM' | 'INT' | 'QUIT' | 'KILL', folder = ''): () => Promise<void> {
  return leash(endProcess, [String(pid), signal, folder]);
}
