import { type IssuedToken, systemClock } from '#providers';
import { KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { openStored, sealIssued } from './sealed-token';

const vault = new Vault(KeyRing.parse(newMasterKey('k')));
const token = 'a-token-of-many-bytes';
const issued: IssuedToken = {
  ...{ accessToken: new Secret(token), lifeSeconds: 60, sentAt: 0, sentAtMonotonic: 0, tokenType: 'Bearer' },
  headers: { authorization: `Bearer ${token}`, cookie: `session=${token}` },
};
const more = {
  query: { access_token: token, v: '1' },
  cookies: { session: token },
  outputs: { instance_url: 'https://eu.acme.example', signed: `x.${token}.y` },
};
const reopened = (given: IssuedToken) => {
  const sealed = sealIssued(vault, { clientId: 'c', generation: '7' }, given);
  const stored = { generation: '7', sealed, secretVersion: 1, runwayMs: 1_000, serveUntil: 0, servableLifeMs: 1_000 };
  return { servable: openStored(vault, 'c', stored, systemClock), text: vault.openToken(sealed, 'c:7').reveal() };
};

describe('a sealed token', () => {
  it('comes back with all that an API call has to carry, and is stored once however often it stands in that', () => {
    const { servable, text } = reopened({ ...issued, ...more });
    expect(servable).toMatchObject({ accessToken: token, headers: issued.headers, ...more });
    expect(text.split(token)).toHaveLength(2);
    expect(Object.isFrozen(servable) && Object.isFrozen(servable.headers) && Object.isFrozen(servable.outputs)).toBe(
      true,
    );
  });

  it.each([
    ['plain', token],
    ['with quotes and what else is escaped', 'a"\\u0000\\\\b\n\u2028\ud800'],
    ['not ASCII', 'tökén €\u007f'],
    ['with what means something where texts are replaced', '$&$1$`'],
  ])('is the same JSON that its parts are: %s', (_, text) => {
    const headers = { authorization: `Bearer ${text}`, 'x-both': `${text}, ${text}`, 'x-none': '\\u0000 \\\\u0000"\\' };
    const outputs = { '\\u0000': `\\${text}\\` };
    const given = { ...issued, accessToken: new Secret(text), headers, scope: '\\u0000', outputs, query: {} };
    const { json, scope, query, cookies } = reopened(given).servable;
    expect(json.accessToken).toBe(JSON.stringify(text));
    expect(`{${json.rest}}`).toBe(JSON.stringify({ headers, scope, query, cookies, outputs }));
  });

  it('comes back without what its provider did not give', () => {
    const { servable } = reopened(issued);
    for (const part of ['query', 'cookies', 'outputs'] as const) expect(servable[part]).toBeUndefined();
  });
});
