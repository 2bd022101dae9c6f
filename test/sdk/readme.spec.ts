import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasPrograms, type RunningDemo, startDemo } from '../harness/demo';
import { root } from '../harness/root';

const run = promisify(execFile);
const readme = readFileSync(join(root, 'libs', 'sdk', 'README.md'), 'utf8');
const fences = [...readme.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind, inside]) => ({ kind, inside: inside! }));
const blocks = (wanted: string): string[] => fences.flatMap(({ kind, inside }) => (kind === wanted ? [inside] : []));

describe('the README of the SDK', () => {
  let demo: RunningDemo;
  const env = () => ({
    ...process.env,
    TOKEN_BROKER_URL: `http://127.0.0.1:${demo.brokerPort}`,
    TOKEN_BROKER_KEY: /tbk_\w{41}/.exec(demo.printed)![0],
  });
  const printed = async (program: string, ...words: string[]) =>
    (await run(program, words, { cwd: demo.folder, env: env() })).stdout;

  beforeAll(async () => {
    demo = await startDemo();
    const built = join(demo.folder, 'node_modules', '@token-broker', 'sdk');
    await run(process.execPath, [join(root, 'dist', 'tools', 'sdk.main.js'), built], { cwd: root });
    symlinkSync(join(root, 'node_modules', '@types'), join(demo.folder, 'node_modules', '@types'));
    writeFileSync(join(demo.folder, 'package.json'), '{"type": "module"}');
  }, 180_000);
  afterAll(() => demo?.stop());

  it('has examples that compile as they stand', async () => {
    const files = blocks('ts').map((text, index) => {
      writeFileSync(join(demo.folder, `example-${index}.ts`), text);
      return `example-${index}.ts`;
    });
    expect(files.length).toBeGreaterThan(5);
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = ['--module', 'nodenext', '--strict', '--noEmit', '--skipLibCheck', '--types', 'node'];
    await run(process.execPath, [tsc, ...options, ...files], { cwd: demo.folder });
  }, 120_000);

  it('tells of tests what comes of them', async () => {
    const [example] = blocks('ts').filter((text) => text.includes('new FakeBroker'));
    const text = example!.replace('catch(console.error)', 'catch(({ name }) => console.log(name))');
    writeFileSync(
      join(demo.folder, 'testing.js'),
      text.replace(/await api\('\/orders'\); /g, "console.log((await api('/orders')).status); "),
    );
    const told = [...example!.matchAll(/\/orders'\).*\/\/ (\w+)/g)].map(([, word]) => word);
    expect((await printed(process.execPath, 'testing.js')).trim().split('\n')).toEqual(told);
  });

  (hasPrograms('curl') ? it : it.skip)('gets a token with curl', async () => {
    const [, command] = blocks('sh');
    expect(await printed('bash', '-c', command!)).toMatch(/"access_token":"eyJ/);
  });

  (hasPrograms('python3') ? it : it.skip)('gets a token with Python', async () => {
    expect(await printed('python3', '-c', blocks('python')[0]!)).toMatch(/^eyJ/);
  });

  (hasPrograms('java') ? it : it.skip)(
    'gets a token with Java',
    async () => {
      writeFileSync(join(demo.folder, 'Token.java'), blocks('java')[0]!);
      expect(await printed('java', 'Token.java')).toMatch(/"access_token":"eyJ/);
    },
    60_000,
  );
});
