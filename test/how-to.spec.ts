import { execFile, execFileSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './harness/free-port';
import { provisioned } from './harness/provisioned';

const run = promisify(execFile);
const root = join(__dirname, '..');
const pages = ['docs/how-to/add-an-issuer.md', 'docs/how-to/use-what-you-have.md'];
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
  let demo: ChildProcess;
  let folder: string;
  let script: (page: string) => string;

  beforeAll(async () => {
    await provisioned('build');
    folder = mkdtempSync(join(tmpdir(), 'token-broker-how-to-'));
    const [broker, simulator] = await Promise.all([freePort(), freePort()]);
    const env = { ...process.env, NODE_ENV: '', PORT: `${broker}`, SIMULATOR_PORT: `${simulator}` };
    demo = execFile(process.execPath, [join(root, 'dist/apps/demo/src/main.js')], { env, cwd: folder });
    let printed = '';
    for await (const chunk of demo.stdout!) if ((printed += String(chunk)).includes('Ctrl-C ends')) break;
    const [admin, service] = [/demo-[0-9a-f]{20,}/, /tbk_\w{41}/].map((key) => key.exec(printed)![0]);
    script = (page) =>
      blocks(page, 'sh')
        .replace('demo-…', admin!)
        .replace('tbk_…', service!)
        .replaceAll(':8080', `:${broker}`)
        .replaceAll(':9000', `:${simulator}`);
  }, 60_000);

  afterAll(async () => {
    const ended = new Promise((resolve) => demo.once('exit', resolve));
    demo.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  (hasPrograms() ? test : test.skip).each(pages)(
    'show what comes back when their commands are pasted: %s',
    async (page) => {
      const { stdout } = await run('bash', ['-c', script(page)], { cwd: folder });
      expect(timeless(stdout)).toEqual(timeless(blocks(page, '')));
    },
  );
});

function hasPrograms(): boolean {
  try {
    for (const program of ['bash', 'curl', 'jq']) execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
