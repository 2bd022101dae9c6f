import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasPrograms, type RunningDemo, startDemo } from './harness/demo';
import { root } from './harness/root';

const run = promisify(execFile);
const text = readFileSync(join(root, 'docs/how-to/add-an-issuer.md'), 'utf8');
const fences = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, kind, inside]) => ({ kind, inside: inside! }));
const blocks = (wanted: string): string =>
  fences.flatMap(({ kind, inside }) => (kind === wanted ? [inside] : [])).join('');

/** Without what differs each time: tokens, and where in its life one was served. */
const timeless = (output: string): string[] =>
  output
    .replace(/eyJ[\w.-]+…?/g, 'eyJ…')
    .replace(/("expires_\w+": |\[token, |\[hidden, )["\d:.TZ-]+/g, '$1…')
    .trim()
    .split('\n');

describe('docs/how-to/add-an-issuer.md', () => {
  let demo: RunningDemo;
  let script: string;

  beforeAll(async () => {
    demo = await startDemo();
    const key = /demo-[0-9a-f]{20,}/.exec(demo.printed)![0];
    const { brokerPort, simulatorPort } = demo;
    script = blocks('sh')
      .replace('demo-…', key)
      .replaceAll(':8080', `:${brokerPort}`)
      .replaceAll(':9000', `:${simulatorPort}`);
  }, 60_000);
  afterAll(() => demo.stop());

  (hasPrograms('bash', 'curl', 'jq') ? test : test.skip)(
    'shows what comes back when its commands are pasted',
    async () => {
      const { stdout } = await run('bash', ['-c', script], { cwd: demo.folder });
      expect(timeless(stdout)).toEqual(timeless(blocks('')));
    },
  );
});
