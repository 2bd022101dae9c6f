import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasPrograms, type RunningDemo, startDemo } from './harness/demo';
import { root } from './harness/root';

const run = promisify(execFile);
const pages = [
  'docs/how-to/add-an-issuer.md',
  'docs/how-to/use-what-you-have.md',
  'docs/how-to/wait-for-the-next-token.md',
];
/** What stands in the page's fences of that kind: `sh` is pasted, what has no kind came back. */
const blocks = (page: string, wanted: string): string =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
    .flatMap(([, kind, inside]) => (kind === wanted ? [inside!] : []))
    .join('');

/** Without what differs each time: tokens, and where in its life one was served. */
const timeless = (output: string): string[] =>
  output
    .replace(/eyJ[\w.-]+…?/g, 'eyJ…')
    .replace(/("expires_\w+": |"ttlSeconds":|\[token, |\[hidden, )["\d:.TZ-]+/g, '$1…')
    .trim()
    .split('\n');

describe('the how-tos', () => {
  let demo: RunningDemo;
  let script: (page: string) => string;

  beforeAll(async () => {
    demo = await startDemo();
    const { printed, brokerPort, simulatorPort } = demo;
    const [admin, service] = [/demo-[0-9a-f]{20,}/, /tbk_\w{41}/].map((key) => key.exec(printed)![0]);
    script = (page) =>
      blocks(page, 'sh')
        .replace('demo-…', admin!)
        .replace('tbk_…', service!)
        .replaceAll(':8080', `:${brokerPort}`)
        .replaceAll(':9000', `:${simulatorPort}`);
  }, 60_000);
  afterAll(() => demo.stop());

  (hasPrograms('bash', 'curl', 'jq') ? test : test.skip).each(pages)(
    'show what comes back when their commands are pasted: %s',
    async (page) => {
      const { stdout } = await run('bash', ['-c', script(page)], { cwd: demo.folder });
      expect(timeless(stdout)).toEqual(timeless(blocks(page, '')));
    },
  );
});
