import { inspect } from 'node:util';
import { Secret } from '#vault';
import { hostFault } from '../network/address';
import { checkInputs } from './inputs';
import { loadPresets } from '../language/presets';
import { tokenHosts } from './token-hosts';

const capillary = loadPresets().get('capillary')!.definition;
const oauth = loadPresets().get('oauth2-client-credentials')!.definition;
const good = { base_url: 'https://eu.api.capillarytech.com', key: 'k-canary', secret: 's-canary' };

function check(change: Record<string, unknown>, allowedOrigins: string[] = [], definition = capillary) {
  return checkInputs(definition, { ...good, ...change }, { allowedOrigins });
}

function urlFault(token_url: string, allowedOrigins: string[] = []): string | undefined {
  const given = { token_url, client_id: 'a', client_secret: 'b' };
  return checkInputs(oauth, given, { allowedOrigins }).faults.map(({ pointer, detail }) => `${pointer} ${detail}`)[0];
}

describe('inputs', () => {
  it('are told apart into plain and secret ones, which do not print', () => {
    const checked = check({});
    expect(checked.faults).toEqual([]);
    expect(checked.plain).toEqual({ base_url: good.base_url });
    expect(checked.secret['key']!.reveal()).toBe('k-canary');
    expect(inspect(checked, { depth: Infinity })).not.toContain('canary');
    expect(check({ key: new Secret('x') }).secret['key']!.reveal()).toBe('x');
  });

  it('are refused with every fault at once, and no fault holds a secret', () => {
    const { faults } = check({
      base_url: 7,
      key: 'canary\r\nX: y',
      secret: `canary${'x'.repeat(9000)}`,
      'a/b': 'canary',
    });
    expect(faults.map((fault) => fault.pointer).sort()).toEqual([
      '/inputs/a~1b',
      '/inputs/base_url',
      '/inputs/key',
      '/inputs/secret',
    ]);
    expect(JSON.stringify(faults)).not.toContain('canary');
    expect(check({ key: undefined, secret: '' }).faults.map((fault) => fault.detail)).toEqual([
      'is missing',
      'is missing',
    ]);
  });

  it.each(['\r', '\n', '\0', '\t', '\x1b', '\x7f', '\x85', '\u2028', '\ud800'])(
    'are refused when they hold %j',
    (char) => {
      expect(check({ secret: `a${char}b` }).faults).toHaveLength(1);
    },
  );

  it('take their default only where the inputs that they need are given', () => {
    expect(check({}).plain).not.toHaveProperty('entity_type');
    expect(check({ entity_code: 'till-1' }).plain).toMatchObject({ entity_type: 'TILL', entity_code: 'till-1' });
    expect(check({ entity_type: 'TILL' }).faults).toEqual([
      { pointer: '/inputs/entity_type', detail: 'has no meaning without entity_code' },
    ]);
    expect(check({ entity_code: 'a', entity_type: 'SHOP' }).faults[0]!.detail).toMatch(
      /must be one of TILL, STORE_CODE/,
    );
  });

  it('may be given one for another, and one has to be', () => {
    const either = (given: object) =>
      checkInputs(oauth, { client_id: 'a', client_secret: 'b', ...given }, { allowedOrigins: [] });
    expect(either({}).faults).toEqual([
      { pointer: '/inputs/token_url', detail: 'is missing: one of token_url, issuer has to be given' },
    ]);
    for (const given of [{ token_url: 'https://a.example/t' }, { issuer: 'https://a.example' }]) {
      expect(either(given).faults).toEqual([]);
    }
  });

  it('do not count what is inherited as given, nor as declared', () => {
    expect(checkInputs(capillary, Object.create(good), { allowedOrigins: [] }).faults).toHaveLength(3);
    expect(check({ constructor: 'x' }).faults[0]!.pointer).toBe('/inputs/constructor');
  });
});

describe('a URL input', () => {
  it.each([
    'http://issuer.example/token',
    'ftp://issuer.example/token',
    'issuer.example/token',
    'https://user@issuer.example/',
    'https://u:p@issuer.example/',
    'https://issuer.example/#x',
    'https://issuer.example/?a=b',
    'https://issuer.example\\@evil.example/',
    'https://issuer.example/ x',
    'https://',
    'https://localhost/token',
    'https://a.localhost/token',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f.0.0.1/',
    'https://10.1.2.3/',
    'https://172.16.0.1/',
    'https://192.168.0.1/',
    'https://169.254.169.254/latest',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[::10.0.0.1]/',
    'https://[64:ff9b::a00:1]/',
    'https://[64:ff9b:1::a00:1]/',
    'https://[2002:a00:1::]/',
    'https://[fc00::1]/',
    'https://[fe80::1]/',
    'https://[ff02::1]/',
  ])('refuses %s', (url) =>
    expect(urlFault(url)).toMatch(/^\/inputs\/token_url must|^\/inputs\/token_url names a private/),
  );

  it.each([
    'https://issuer.example/token',
    'https://1.1.1.1/token',
    'https://[2606:4700::1111]:8443/t',
    'https://a.example/@x',
  ])('accepts %s', (url) => expect(urlFault(url)).toBeUndefined());

  it('may be plain http or private only where the operator allows that very origin', () => {
    const allowed = ['http://127.0.0.1:9000'];
    expect(urlFault('http://127.0.0.1:9000/token', allowed)).toBeUndefined();
    for (const other of [
      'http://127.0.0.1:9001/',
      'https://127.0.0.1:9000/',
      'http://127.0.0.2:9000/',
      'http://u@127.0.0.1:9000/',
    ]) {
      expect(urlFault(other, allowed)).toBeDefined();
    }
    expect(urlFault('http://127.0.0.1:9001/')).toContain('http://127.0.0.1:9001 to ALLOWED_PROVIDER_HOSTS');
  });

  it("keeps to the definition's hosts, or to the operator's origins, and says which", () => {
    expect(check({ base_url: 'https://apac2.api.capillarytech.com/' }).faults).toEqual([]);
    expect(check({ base_url: 'http://127.0.0.1:9000' }, ['http://127.0.0.1:9000']).faults).toEqual([]);
    for (const host of [
      'evil.example',
      'api.capillarytech.com',
      'eu.api.capillarytech.com.evil.example',
      'xapi.capillarytech.com',
    ]) {
      const [fault] = check({ base_url: `https://${host}` }).faults;
      expect(fault).toMatchObject({ pointer: '/inputs/base_url' });
      expect(fault!.detail).toContain('*.api.capillarytech.com');
      expect(fault!.detail).toContain(`https://${host} to ALLOWED_PROVIDER_HOSTS`);
    }
  });
});

it('a JSON input is refused, not stumbled over, where it is nested too deeply to be written', () => {
  const definition = { ...capillary, inputs: { file: { secret: true, format: 'json' as const } } };
  const file: unknown = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000));
  const { faults } = checkInputs(definition, { file }, { allowedOrigins: [] });
  expect(faults).toEqual([{ pointer: '/inputs/file', detail: expect.stringContaining('nested deeply') }]);
});

it('a host that is listed with the port of https is that host', () => {
  const listed = (url: string) => hostFault(new URL(url), ['a.example:443', '*.b.example:443']);
  for (const url of ['https://a.example', 'https://x.b.example:443']) expect(listed(url)).toBeUndefined();
  for (const url of ['https://a.example:8443', 'https://x.b.example:8443']) expect(listed(url)).toBeDefined();
});

describe('the hosts that secrets are sealed for', () => {
  it('are those of the token URLs, with their ports, known without any secret', () => {
    expect(tokenHosts(capillary, { base_url: 'https://EU.api.capillarytech.com:443/' })).toBe(
      'eu.api.capillarytech.com',
    );
    expect(tokenHosts(oauth, { token_url: 'http://127.0.0.1:9000/t', client_id: 'x' })).toBe('127.0.0.1:9000');
  });
});
