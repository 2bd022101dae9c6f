import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { hasPrograms, type RunningDemo, startDemo } from '../../../test/harness/demo';

const run = promisify(execFile);

(hasPrograms('bash', 'curl') ? describe : describe.skip)('what the demo prints to paste', () => {
  let demo: RunningDemo;
  let lines: string[];
  beforeAll(async () => {
    demo = await startDemo();
    lines = demo.printed.split('\n').flatMap((line) => (line.startsWith('  curl ') ? [line.trim()] : []));
  }, 60_000);
  afterAll(() => demo.stop());

  const paste = async (line: string): Promise<string> => (await run('bash', ['-c', line])).stdout;
  /** Within ten seconds there is such an item in the answer. */
  const shows = async (line: string, item: object): Promise<void> => {
    for (const until = Date.now() + 10_000; ; await delay(100)) {
      const { items } = JSON.parse(await paste(line));
      const wanted = expect.arrayContaining([expect.objectContaining(item)]);
      if (Date.now() > until) expect(items).toEqual(wanted);
      if (wanted.asymmetricMatch(items)) return;
    }
  };
  const lineOf = (path: string): string => lines.find((line) => line.includes(path))!;

  it('works, line by line: no command is malformed, and no request of an admin is refused', async () => {
    const answers = lines.filter((line) => !line.startsWith('curl -sN')).map(async (line) => [line, await paste(line)]);
    const refused = (await Promise.all(answers)).filter(([, answer]) => /"type":"\/docs\/errors|^$/.test(answer!));
    expect(refused.map(([line]) => /clients\/([\w-]+)\/token/.exec(line!)?.[1])).toEqual([
      ...['loyalty-apac', 'loyalty-us', 'loyalty-old'], // which are there to show it
    ]);
  });

  it('shows what has happened: attempts of a client, events in pages and as they happen, sums by the hour', async () => {
    // Both are there a moment after the start.
    await shows(lineOf('/loyalty-us/renewals'), { reason: 'credentials_refused' });
    await shows(lineOf('/v1/events?'), { client: 'loyalty-apac', kind: 'client.condition_changed' });
    expect(JSON.parse(await paste(lineOf('/v1/renewals')))).toEqual({ items: expect.any(Array) });
    expect(JSON.parse(await paste(lineOf('/loyalty-eu/renewals')))).toMatchObject({ outcome: 'renewed' });
    const stream = lines.find((line) => line.startsWith('curl -sN'))!;
    const { stdout } = await run('bash', ['-c', `${stream} -m 1`]).catch((ended: { stdout: string }) => ended);
    expect(stdout).toMatch(/^retry: /);
  });
});
