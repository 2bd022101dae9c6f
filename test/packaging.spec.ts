import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { problemTypes } from '../apps/broker/src/problem';
import { type RunningBroker, startBroker } from './harness/broker';
import { createDatabase, type TestDatabase } from './harness/database';
import { freePort } from './harness/free-port';
import { provisioned } from './harness/provisioned';
import { type PrivateRedis, startRedis } from './harness/redis';

interface ComposeService {
  command?: string[];
  environment?: Record<string, string>;
  healthcheck?: { disable?: boolean; test?: string[] };
  restart?: string;
}

const run = promisify(execFile);
const root = join(__dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const markdown = ['.', 'docs', 'docs/decisions', 'docs/how-to', 'docs/reference', 'apps/simulator', 'libs/sdk'].flatMap(
  (folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
);
const prose = (path: string): string => read(path).replace(/^```[^]*?^```/gm, '');
const readme = read('README.md');

const dockerfile = read('deploy/Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ');
const instructions = (name: string, text = dockerfile): string[] =>
  [...text.matchAll(new RegExp(`^(?: *)${name} +(.*)$`, 'gm'))].map((match) => match[1]!);
const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
const command = (name: string): string[] => JSON.parse(instructions(name, lastStage)[0]!) as string[];
/** What each COPY of the text takes, from the repository or from the build stage, and where it puts it. */
const copies = (text: string): { built: boolean; sources: string[]; target: string }[] =>
  instructions('COPY', text).map((line) => {
    const words = line.split(/ +/).filter((word) => !word.startsWith('--'));
    return {
      built: line.includes('--from=build'),
      sources: words.slice(0, -1).map((word) => word.replace(/^\/app\//, '')),
      target: words.at(-1)!,
    };
  });

const services = (parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, ComposeService> })
  .services;
/** The variables that apps/broker/src/config.ts knows: the fields of its Environment, and `_FILE` for each secret. */
const configSource = read('apps/broker/src/config.ts');
const fields = [...configSource.matchAll(/^ {2}([A-Z][A-Z_]+)(?:\?:|:| =)/gm)].map((match) => match[1]!);
const secrets = /const files = \[(.*?)\]/s.exec(configSource)![1]!.match(/[A-Z_]{2,}/g)!;
const known = [...fields, ...secrets.map((name) => `${name}_FILE`)];

describe('the Dockerfile', () => {
  const environment = instructions('ENV', lastStage).flatMap((line) => [...line.matchAll(/(\w+)=/g)].map((m) => m[1]!));

  test('sets only variables that the broker, or Node itself, knows', () => {
    expect(fields).toContain('MASTER_KEYS_COMMAND');
    expect(environment.length).toBeGreaterThan(0);
    expect([...known, 'NODE_ENV']).toEqual(expect.arrayContaining(environment));
  });

  test('copies what is there', () => {
    const missing = copies(dockerfile)
      .filter(({ built }) => !built)
      .flatMap(({ sources }) => sources)
      .filter((source) => !existsSync(join(root, source)));
    expect(missing).toEqual([]);
  });

  test('copies nothing that .dockerignore keeps out', () => {
    const allowed = read('.dockerignore').match(/(?<=^!).*/gm)!;
    const taken = copies(dockerfile).flatMap(({ built, sources }) => (built ? [] : sources));
    expect(taken.filter((source) => !allowed.includes(source))).toEqual([]);
  });

  test('runs as a user that is not root', () => {
    expect(instructions('USER', lastStage)).toEqual(['1000:1000']);
  });
});

describe('docker-compose.yml', () => {
  test('sets only variables that the broker knows', () => {
    expect(known).toEqual(expect.arrayContaining(Object.keys(services['broker']!.environment!)));
  });

  test('sets only variables that the simulator knows', () => {
    const knows = [...read('apps/simulator/src/config.ts').matchAll(/env\['(\w+)'\]/g)].map((match) => match[1]);
    expect(knows).toEqual(expect.arrayContaining(Object.keys(services['simulator']!.environment!)));
  });

  test('watches the health of every service that goes on running', () => {
    const lasting = Object.entries(services).filter(([, { restart }]) => restart !== 'no');
    expect(lasting.map(([name]) => name).sort()).toEqual(['broker', 'postgres', 'redis', 'simulator']);
    for (const [, { healthcheck }] of lasting) expect(healthcheck).toHaveProperty('test');
  });

  test('gives no password and no key a default, and says how to make one', () => {
    const secret = /\$\{(\w*(?:PASSWORD|MASTER_KEYS)\w*)(?::?([-?+])([^}]*))?\}/g;
    const used = [...read('docker-compose.yml').matchAll(secret)];
    expect(used.filter(([, , operator = '?']) => operator !== '?')).toEqual([]);
    const explained = used.flatMap(([, name, , words = '']) => (words.includes('openssl rand') ? [name] : []));
    expect(explained.sort()).toEqual([...new Set(used.map(([, name]) => name))].sort());
    expect(explained).toContain('MASTER_KEYS');
  });

  test('asks for nothing that .env.example does not name', () => {
    const asked = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map((match) => match[1]);
    const optional = ['LOG_LEVEL', 'BROKER_PORT', 'SIMULATOR_PORT'];
    expect([...read('.env.example').matchAll(/^(\w+)=/gm)].map((match) => match[1]).concat(optional)).toEqual(
      expect.arrayContaining(asked),
    );
  });

  (composeAnswers() ? test : test.skip)('is what docker compose accepts', async () => {
    const env = { ...process.env, POSTGRES_PASSWORD: 'p', REDIS_PASSWORD: 'r', MASTER_KEYS: 'k1:key' };
    const { stdout } = await run('docker', ['compose', '--profile', 'demo', 'config'], { cwd: root, env });
    expect(Object.keys((parse(stdout) as { services: object }).services)).toHaveLength(5);
  });
});

/** The last stage of the image in a folder, as its COPY lines say. */
describe('what the image holds is enough', () => {
  let image: string;
  let database: TestDatabase;
  let redis: PrivateRedis;
  let broker: RunningBroker | undefined;

  beforeAll(async () => {
    await provisioned('build');
    image = mkdtempSync(join(tmpdir(), 'token-broker-image-'));
    for (const { sources, target } of copies(lastStage)) {
      for (const source of sources.filter(() => !target.startsWith('/data'))) {
        const place = join(image, target.endsWith('./') ? source : target);
        mkdirSync(dirname(place), { recursive: true });
        if (source === 'node_modules') symlinkSync(join(root, source), place);
        else cpSync(join(root, source), place, { recursive: true });
      }
    }
    [database, redis] = await Promise.all([createDatabase({ migrated: false }), startRedis()]);
  }, 120_000);

  afterAll(async () => {
    await broker?.stop();
    await Promise.all([database?.drop(), redis?.stop()]);
    rmSync(image, { recursive: true, force: true });
  });

  const node = ([program, ...args]: string[], env: Record<string, string>) => {
    expect(program).toBe('node');
    return run(process.execPath, args, { cwd: image, env: { PATH: process.env['PATH'], ...env } });
  };

  test('to migrate', async () => {
    const { stdout } = await node(services['migrate']!.command!, { DATABASE_URL: database.url });
    expect(stdout).toContain('applied');
  });

  test('to run the broker, which its health checks then find well', async () => {
    const words = command('CMD');
    expect((JSON.parse(read('package.json')) as { scripts: { start: string } }).scripts.start).toContain(
      words.join(' '),
    );
    const port = String(await freePort());
    const env = { DATABASE_URL: database.url, REDIS_URL: redis.url, PORT: port, NODE_ENV: 'production' };
    const key = `k1:${Buffer.from('0123456789abcdefghijklmnopqrstuv').toString('base64')}`;
    broker = await startBroker({ env: { ...env, MASTER_KEYS: key }, script: join(image, words.at(-1)!) });
    const healthcheck = dockerfile.match(/^HEALTHCHECK .*?CMD (\[.*\])$/m)![1]!;
    await node(JSON.parse(healthcheck) as string[], { PORT: port });
    const [, ...ready] = services['broker']!.healthcheck!.test!;
    await node(
      ready.map((word) => word.replace('127.0.0.1:8080', `127.0.0.1:${port}`)),
      {},
    );
    const absent = node(JSON.parse(healthcheck) as string[], { PORT: String(await freePort()) });
    await expect(absent).rejects.toMatchObject({ code: 1 });
  });

  test('to serve every route of the API that the README lists, and the README lists every route', async () => {
    const { paths } = (await (await fetch(`${broker!.url}/openapi.json`)).json()) as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${path.startsWith('/proxy/') ? 'ANY' : method.toUpperCase()} ${path}`),
    );
    const listed = [
      ...readme.matchAll(/`((?:GET|POST|PUT|PATCH|DELETE|ANY) \/(?:v\d|oauth|proxy|\.well-known)\b[^`?]*)`/g),
    ].map((match) => match[1]!.replace('…', ''));
    expect([...new Set(listed)].sort()).toEqual([...new Set(routes)].sort());
  });

  test('to run the simulator, which its health check then finds well', async () => {
    const { command: [, script] = [], healthcheck } = services['simulator']!;
    const port = String(await freePort());
    const ending = new AbortController();
    const simulator = execFile(process.execPath, [join(image, script!)], {
      env: { PORT: port, HOST: '0.0.0.0' },
      signal: ending.signal,
    });
    simulator.on('error', () => undefined); // the abort itself
    await once(simulator.stdout!, 'data');
    const check = healthcheck!.test!.slice(1).map((word) => word.replace('127.0.0.1:9000', `127.0.0.1:${port}`));
    const checked = node(check, {}).finally(() => ending.abort());
    await expect(checked).resolves.toBeDefined();
  });
});

describe('the documentation', () => {
  test('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = markdown.flatMap((path) => [...read(path).matchAll(/\bnpm (?:run ([\w:-]+)|(test|start)\b)/g)]);
    expect(named.length).toBeGreaterThan(0);
    const missing = named.filter(([, script, shorthand]) => scripts[(script ?? shorthand)!] === undefined);
    expect(missing.map(([words]) => words)).toEqual([]);
  });

  test('links only to files and headings that exist', () => {
    const broken = markdown.flatMap((path) =>
      [...prose(path).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
        .filter(([, target, heading]) => {
          const file = target ? join(dirname(path), target) : path;
          return !existsSync(join(root, file)) || (heading !== undefined && !anchors(file).includes(heading));
        })
        .map(([link]) => `${path}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test('docs/errors.md has one heading for each code, and no other', () => {
    const headings = prose('docs/errors.md').match(/(?<=^## ).*/gm);
    expect(headings?.sort()).toEqual(Object.keys(problemTypes).sort());
  });

  test('the README tells of every environment variable, and of no other', () => {
    const table = readme.slice(readme.indexOf('## Environment'));
    const rows = [...table.slice(0, table.indexOf('\n## ', 3)).matchAll(/^\| `([A-Z_]+)`/gm)].map((match) => match[1]);
    expect(rows.sort()).toEqual([...new Set(fields)].sort());
  });

  test('every decision stands in the list of decisions', () => {
    const files = readdirSync(join(root, 'docs/decisions')).filter((name) => /^\d{4}-/.test(name));
    const list = read('docs/decisions/README.md');
    expect(files.filter((name) => !list.includes(`](${name})`))).toEqual([]);
  });
});

/** As GitHub makes them: lower case, punctuation gone, spaces to hyphens. */
function anchors(path: string): string[] {
  return (prose(path).match(/(?<=^#{1,6} ).*/gm) ?? []).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

function composeAnswers(): boolean {
  try {
    execFileSync('docker', ['compose', 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
