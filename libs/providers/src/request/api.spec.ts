import { stringify } from 'yaml';
import { InvalidDefinition, readDefinition } from '../language/read-definition';
import { type Api, apiOf, isDeadBy, isDeadWith } from './api';
import { tokenHosts } from './token-hosts';

const source = (change: Record<string, unknown>): string =>
  stringify({
    id: 'acme',
    inputs: {
      base: { format: 'url', optional: true },
      domain: { format: 'host', hosts: ['*.acme.example'], default: 'eu.acme.example' },
      place: { format: 'path', optional: true },
      pass: { secret: true },
    },
    values: { once: '{{uuid}}', region: '{{ inputs.domain | upcase }}' },
    discovery: { issuer: 'https://issuer.acme.example' },
    steps: [
      { id: 's', method: 'POST', url: 'https://login.acme.example/token', body: { form: { pass: '{{inputs.pass}}' } } },
    ],
    token: {
      value: '{{steps.s.body.token}}',
      outputs: { instance: '{{steps.s.body.instance}}' },
      expiry: [{ fixed_s: 60 }],
    },
    present: { headers: { Authorization: 'Bearer {{token}}', 'X-Unit': '{{inputs.domain}}' } },
    ...change,
  });

const faultsOf = (change: Record<string, unknown>): string[] => {
  try {
    readDefinition(source(change));
    return [];
  } catch (error) {
    if (!(error instanceof InvalidDefinition)) throw error;
    return error.faults.map(({ pointer, detail }) => `${pointer} ${detail}`);
  }
};

const apiWith = (api: object, inputs: Record<string, string> = {}, outputs = {}, allowedOrigins: string[] = []) =>
  apiOf(readDefinition(source({ api })).definition, { pass: 'p', ...inputs }, outputs, { allowedOrigins });

describe('where the API is', () => {
  it.each([
    ['https://api.acme.example', {}, {}, 'https://api.acme.example', ''],
    ['https://api.acme.example/v1/', {}, {}, 'https://api.acme.example', '/v1'],
    ['https://{{inputs.domain}}/rest/{{inputs.place}}', { place: 'a/b' }, {}, 'https://eu.acme.example', '/rest/a/b'],
    ['{{inputs.base}}/v2', { base: 'https://any.example/root' }, {}, 'https://any.example', '/root/v2'],
    ['{{ inputs.base | default: "https://api.acme.example" }}', {}, {}, 'https://api.acme.example', ''],
  ])('is told by the definition with the inputs: %s', (base_url, inputs, outputs, origin, basePath) => {
    expect(apiWith({ base_url }, inputs as Record<string, string>, outputs)).toMatchObject({ origin, basePath });
  });

  const byOutput = { base_url: '{{outputs.instance}}/data', hosts: ['*.acme.example'] };
  it('is told by the answer that issued the token, within the hosts that the definition lists', () => {
    expect(apiWith(byOutput, {}, { instance: 'https://na7.acme.example' })).toMatchObject({
      origin: 'https://na7.acme.example',
      basePath: '/data',
    });
    for (const instance of [
      'https://evil.example',
      'https://na7.acme.example.evil.example',
      'https://u@na7.acme.example',
    ]) {
      expect(() => apiWith(byOutput, {}, { instance })).toThrow(/the URL of the API must/);
    }
    expect(() => apiWith(byOutput, {}, { instance: 'http://na7.acme.example' })).toThrow(/must begin with https/);
    expect(() => apiWith(byOutput, {}, {})).toThrow(/is missing/);
  });

  it('is not known where the definition does not say, or says it by an input that was not given', () => {
    expect(apiWith({ base_url: '{{inputs.base}}' })).toBeUndefined();
    expect(apiOf(readDefinition(source({})).definition, { pass: 'p' }, {}, { allowedOrigins: [] })).toBeUndefined();
  });

  it('is no private place, unless the operator allows it', () => {
    const inputs = { base: 'http://127.0.0.1:9000' };
    expect(() => apiWith({ base_url: '{{inputs.base}}' }, inputs)).toThrow(/ALLOWED_PROVIDER_HOSTS/);
    expect(apiWith({ base_url: '{{inputs.base}}' }, inputs, {}, ['http://127.0.0.1:9000'])).toMatchObject({
      origin: 'http://127.0.0.1:9000',
    });
    expect(() => apiWith({ base_url: '{{inputs.base}}' }, { base: 'https://10.0.0.1' })).toThrow(/private/);
  });

  it.each([
    ['{{inputs.pass}}', /secret/],
    ['https://{{inputs.pass}}.acme.example', /secret "pass" cannot be put into a URL/],
    ['https://{{ inputs.pass | md5 }}.acme.example', /secret "pass" cannot decide the host/],
    ['https://api.acme.example/{{token}}', /"token" cannot be named here, only inputs.NAME, values.NAME, outputs.NAME/],
    ['https://api.acme.example/{{uuid}}', /cannot decide where the API is/],
    ['https://api.acme.example/{{values.once}}', /cannot decide where the API is/],
    ['https://api.acme.example/{{steps.s.body.path}}', /"s" is not an earlier step/],
    ['https://{{discovery.host}}', /the metadata of the issuer are not at hand/],
    ['{{discovery.api}}', /the metadata of the issuer are not at hand/],
    ['{{outputs.instance}}', /list the only ones that it may name with hosts: \[...\] on api/],
    ['{{outputs.nothing}}', /"nothing" is not declared under token.outputs/],
    ['https://api.acme.example/v1?x=1', /must not have a query/],
    ['https://api.acme.example/#x', /must not have a fragment/],
    ['http://api.acme.example', /must begin with https/],
    ['/v1', /must begin with https:\/\/, with an input of format url, or with outputs/],
  ])('cannot be %s', (base_url, fault) => {
    expect(faultsOf({ api: { base_url } })).toEqual(expect.arrayContaining([expect.stringMatching(fault)]));
    expect(faultsOf({ api: { base_url } }).every((one) => one.startsWith('/api/base_url'))).toBe(true);
  });

  it('is described by two words and no more', () => {
    expect(faultsOf({ api: {} })).toEqual(['/api/base_url is missing']);
    expect(faultsOf({ api: { base_url: 'https://a.example', token: 1 } })).toEqual([
      '/api/token is not known here; known are base_url, hosts',
    ]);
  });

  it('is part of what secrets are sealed for, as far as inputs decide it', () => {
    const sealedFor = (api: object | undefined, inputs = {}) =>
      tokenHosts(readDefinition(source(api ? { api } : {})).definition, { domain: 'eu.acme.example', ...inputs });
    const before = sealedFor(undefined);
    expect(sealedFor({ base_url: 'https://api.acme.example' })).toBe(before);
    expect(sealedFor(byOutput)).toBe(before);
    expect(sealedFor({ base_url: '{{inputs.base}}' })).toBe(before);
    expect(sealedFor({ base_url: '{{inputs.base}}' }, { base: 'https://login.acme.example' })).toBe(before);
    expect(sealedFor({ base_url: '{{inputs.base}}' }, { base: 'https://x.example' })).toBe(`api:x.example,${before}`);
    const hosts = ['{{inputs.domain}}'];
    expect(sealedFor({ ...byOutput, hosts })).toBe(`api:eu.acme.example,${before}`);
  });
});

describe('headers that a request may bring itself', () => {
  it('are some of those that are presented, and none that holds the token', () => {
    const headers = { Authorization: 'Bearer {{token}}', 'X-Unit': '{{inputs.domain}}' };
    const override = (...names: string[]) => faultsOf({ present: { headers, override: names } });
    expect(override('x-unit')).toEqual([]);
    expect(override('X-Other')).toEqual(['/present/override/0 "X-Other" is not one of present.headers']);
    expect(override('X-Unit', 'authorization')).toEqual([
      '/present/override/1 "authorization" holds the token, which no request can bring',
    ]);
  });
});

describe('an answer which says that the token is dead', () => {
  const api = (...invalidWhen: Api['invalidWhen'][number][]) => ({ invalidWhen });
  const head = (status: number, headers = {}) => ({ status, headers });

  it('is known by its head where that is enough, and else by its body', () => {
    const capillary = api({ status: [401, 498] }, { path: 'status.code', in: [401, 498] });
    expect(isDeadBy(capillary, head(498))).toBe(true);
    expect(isDeadBy(capillary, head(200))).toBe('unread');
    expect(isDeadWith(capillary, head(200), '{"status":{"code":"401"}}')).toBe(true);
    expect(isDeadWith(capillary, head(200), '{"status":{"code":200}}')).toBe(false);
    expect(isDeadWith(capillary, head(200), 'no JSON')).toBe(false);
  });

  it('is not read where the status alone rules it out', () => {
    const both = api({ status: 403, path: 'error', equals: 'expired' });
    expect(isDeadBy(both, head(200))).toBe(false);
    expect(isDeadBy(both, head(403))).toBe('unread');
    expect(isDeadBy(api({ status: 401, contains: 'expired' }), head(401))).toBe('unread');
    expect(isDeadWith(api({ status: 401, contains: 'expired' }), head(401), '<p>expired</p>')).toBe(true);
    expect(isDeadBy(api(), head(401))).toBe(false);
  });

  it('is known by a header', () => {
    const byHeader = api({ status: 401, header: 'WWW-Authenticate', contains: 'invalid_token' });
    expect(isDeadBy(byHeader, head(401, { 'www-authenticate': 'Bearer error="invalid_token"' }))).toBe(true);
    expect(isDeadBy(byHeader, head(401, { 'www-authenticate': 'Bearer error="insufficient_scope"' }))).toBe(false);
  });
});
