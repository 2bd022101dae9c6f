import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK } from 'jose';
import { createDocumentReader } from '#providers';
import { type JwtIssuerStub, startJwtIssuer } from '../../../test/jwt-issuer';
import { readJwtIssuers } from '../../config/jwt-issuers';
import { Refusal } from '../principal';
import { Seldom } from '../seldom';
import { isJwt, JwtDoor } from './jwt-door';

describe('JWTs of an issuer', () => {
  let stub: JwtIssuerStub;
  let elapsed = 0;
  let said: [string, Record<string, unknown>][] = [];
  let door: JwtDoor;
  beforeAll(async () => void (stub = await startJwtIssuer()));
  afterAll(() => stub.stop());
  beforeEach(async () => {
    elapsed = 0;
    said = [];
    stub.answerWith(undefined);
    door = open();
    stub.asked();
  });

  function open(more: object = {}): JwtDoor {
    const faults: string[] = [];
    const settings = [{ issuer: stub.url, audience: 'token-broker', ...more }];
    const issuers = readJwtIssuers(JSON.stringify(settings), [stub.url], faults);
    expect(faults).toEqual([]);
    const seldom = new Seldom((fields, words) => said.push([words, fields as Record<string, unknown>]));
    return new JwtDoor(issuers, createDocumentReader({ allowedOrigins: [stub.url] }), seldom, () => elapsed);
  }
  const serviceOf = async (token: string, at = door) => {
    const result = await at.find(token);
    return result instanceof Refusal ? result.reason : result.principal;
  };
  const checkout = { kind: 'service', name: 'checkout' };
  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

  it('tell which service it is, after one look at metadata and keys, and without work from then on', async () => {
    const token = await stub.sign();
    expect(door.now(token)).toBeUndefined();
    // The keys were read during the first check: the second makes sure of them.
    for (let i = 0; i < 3; i++) expect(await serviceOf(token)).toEqual(checkout);
    expect(stub.asked()).toEqual(['/.well-known/openid-configuration', '/keys']);
    expect(door.now(token)!.principal).toEqual(checkout);
    expect(door.now(await stub.sign())).toBeUndefined();
  });

  it.each<[string, string, object, object?]>([
    ['another issuer', 'jwt_issuer', { iss: 'https://elsewhere.example' }],
    ['the issuer with a slash', 'jwt_issuer', { iss: 'SLASH' }],
    ['no issuer', 'jwt_issuer', { iss: undefined }],
    ['another audience', 'jwt_claims', { aud: 'https://kubernetes.default.svc' }],
    ['no audience', 'jwt_claims', { aud: undefined }],
    ['an end that is over', 'jwt_claims', { exp: inSeconds(-90) }],
    ['no end', 'jwt_claims', { exp: undefined }],
    ['an end in words', 'jwt_claims', { exp: 'never' }],
    ['a beginning that is not yet', 'jwt_claims', { nbf: inSeconds(120) }],
    ['an issue in the future', 'jwt_claims', { iat: inSeconds(3_600) }],
    ['a type that is for other things', 'jwt_form', {}, { typ: 'dpop+jwt' }],
    ['a type that is no text', 'jwt_form', {}, { typ: 7 }],
    ['what is critical', 'jwt_form', {}, { crit: ['b64'], b64: true }],
    ['a subject that can be no name', 'jwt_service', { sub: '../admin' }],
    ['a subject that is none', 'jwt_service', { sub: undefined }],
    ['a list of subjects', 'jwt_service', { sub: ['checkout'] }],
  ])('with %s are nobody: %s', async (_, reason, claims, header = {}) => {
    const given = 'iss' in claims && claims.iss === 'SLASH' ? { iss: `${stub.url}/` } : claims;
    expect(await serviceOf(await stub.sign({ ...given }, { ...header }))).toBe(reason);
  });

  it.each([['at+jwt'], ['AT+JWT'], ['application/at+jwt'], ['JWT'], [undefined]])(
    'of the type %s are taken, unless another one is wanted',
    async (typ) => {
      const token = await stub.sign({}, { typ });
      expect(await serviceOf(token)).toEqual(checkout);
      expect(await serviceOf(token, open({ typ: 'x+jwt' }))).toBe('jwt_form');
    },
  );

  it('are taken within a minute of wrong clocks', async () => {
    const token = await stub.sign({ exp: inSeconds(-30), nbf: inSeconds(30), iat: inSeconds(30) });
    expect(await serviceOf(token)).toEqual(checkout);
  });

  it('without a signature, or with one that anybody can make, are nobody', async () => {
    const [header, claims, signature] = (await stub.sign()).split('.') as [string, string, string];
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const publicKey = await exportSPKI(
      (await importJWK(await stub.publicKey(), 'ES256', { extractable: true })) as never,
    );
    const hs = `${encoded({ alg: 'HS256', typ: 'at+jwt', kid: '1' })}.${claims}`;
    const forged = [
      `${encoded({ alg: 'none', typ: 'at+jwt' })}.${claims}.${signature}`,
      `${hs}.${createHmac('sha256', publicKey).update(hs).digest('base64url')}`,
      `${header}.${encoded({ iss: stub.url, aud: 'token-broker', sub: 'other', exp: inSeconds(60) })}.${signature}`,
      `${header}.${claims}.${signature.slice(0, -4)}AAAA`,
      `${encoded({ alg: 'ES256', jwk: await stub.publicKey() })}.${claims}.${signature}`,
    ];
    for (const token of forged) expect(['jwt_form', 'jwt_claims']).toContain(await serviceOf(token));
    expect(await serviceOf(`${header}.!!!.${signature}`)).toBe('malformed');
    expect(isJwt(`${header}.${claims}.`)).toBe(false);
  });

  it('are mapped by a pattern that has to match the whole of a claim, or by a claim within claims', async () => {
    const pattern = 'system:serviceaccount:shop:(?<service>[a-z0-9-]+)';
    const byPattern = open({ service: { pattern } });
    const sub = 'system:serviceaccount:shop:checkout';
    expect(await serviceOf(await stub.sign({ sub }), byPattern)).toEqual(checkout);
    for (const other of [`x${sub}`, `${sub}:x`, sub.replace('shop', 'other'), `${sub}\n`])
      expect(await serviceOf(await stub.sign({ sub: other }), byPattern)).toBe('jwt_service');
    const inside = open({ service: { claim: '/kubernetes.io/serviceaccount/name' } });
    const claims = { 'kubernetes.io': { serviceaccount: { name: 'checkout' } } };
    expect(await serviceOf(await stub.sign(claims), inside)).toEqual(checkout);
    expect(await serviceOf(await stub.sign(), inside)).toBe('jwt_service');
    expect(said.map(([words]) => words)).toContain(
      'a good JWT names no service: compare "service" in JWT_ISSUERS with its claims',
    );
  });

  it('signed with a new key are taken at once, and made-up keys have the issuer asked every 30 s at most', async () => {
    expect(await serviceOf(await stub.sign())).toEqual(checkout);
    elapsed = 30_000;
    await stub.rotate();
    stub.asked();
    expect(await Promise.all(Array.from({ length: 5 }, async () => serviceOf(await stub.sign())))).toEqual(
      Array.from({ length: 5 }, () => checkout),
    );
    expect(stub.asked()).toEqual(['/.well-known/openid-configuration', '/keys']);
    for (let i = 0; i < 10; i++) expect(await serviceOf(await stub.sign({}, { kid: `x${i}` }))).toBe('jwt_claims');
    expect(stub.asked()).toEqual([]);
  });

  it('go on with the keys that are known while the issuer is away, and end with a key that it withdrew', async () => {
    const old = await stub.sign();
    await serviceOf(old);
    expect(await serviceOf(old)).toEqual(checkout);
    stub.answerWith({ status: 500 });
    elapsed = 700_000;
    expect(await serviceOf(await stub.sign())).toEqual(checkout); // has it asked, in vain
    while (said.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    elapsed = 1_400_000;
    stub.answerWith(undefined);
    await stub.rotate();
    expect(await serviceOf(await stub.sign())).toEqual(checkout);
    expect(door.now(old)).toBeUndefined();
    expect(await serviceOf(old)).toBe('jwt_claims');
  });

  it('end with a key that its issuer withdrew, also where none comes that was not verified before', async () => {
    const token = await stub.sign();
    await serviceOf(token);
    await serviceOf(token);
    const proof = door.now(token)!;
    await stub.rotate();
    elapsed = 600_000;
    while (door.now(token)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(proof.holds()).toBe(false);
    expect(await serviceOf(token)).toBe('jwt_claims');
  });

  it('are told apart from a key with dots, which an operator may have chosen', () => {
    expect(isJwt('the-first-admin.of-our.token-broker-2026')).toBe(false);
  });

  it.each([
    ['errs', 'issuer_unavailable', { status: 503 }],
    ['shows no set of keys', 'issuer_unavailable', { keys: { nothing: true } }],
    ['shows private keys', 'jwt_claims', { keys: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c' }] } }],
  ])('are not taken while an issuer that was never heard %s: %s', async (_, wanted, answer) => {
    const token = await stub.sign({}, { kid: undefined });
    stub.answerWith(answer);
    expect(await serviceOf(token).catch((error: { code: string }) => error.code)).toBe(wanted);
    stub.answerWith(undefined);
    elapsed = 60_000;
    expect(await serviceOf(await stub.sign())).toEqual(checkout);
  });

  it.each([
    ['of another issuer', { issuer: 'https://elsewhere.example' }, /is of the issuer https:\/\/elsewhere/],
    ['without keys', { jwks_uri: null }, /names no jwks_uri/],
    ['with keys at a private address', { jwks_uri: 'https://10.0.0.1/keys' }, /private or reserved/],
    ['with keys over plain http elsewhere', { jwks_uri: 'http://elsewhere.example/keys' }, /must begin with https/],
  ])('are not judged by metadata %s, and the log says why', async (_, metadata, why) => {
    stub.answerWith({ metadata });
    await expect(door.find(await stub.sign())).rejects.toMatchObject({ code: 'issuer_unavailable' });
    const words = 'the keys of an issuer of JWTs could not be read';
    expect(said).toEqual([[words, { issuer: stub.url, why: expect.stringMatching(why) }]]);
  });

  it('do not fill the log, and are not in it', async () => {
    const token = await stub.sign({ aud: 'other' });
    for (let i = 0; i < 20; i++) await serviceOf(token);
    expect(said).toHaveLength(1);
    expect(JSON.stringify(said)).not.toContain(token.split('.')[2]);
  });
});
