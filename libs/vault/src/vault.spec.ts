import { inspect } from 'node:util';
import fc from 'fast-check';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { KeyRing } from './key-ring';
import { Secret } from './secret';
import { CannotOpen, sealedPrefix, Vault } from './vault';

const masterA = Buffer.alloc(32, 7).fill(1, 0, 3).toString('base64');
const masterB = Buffer.alloc(32, 9).fill(2, 0, 3).toString('base64');
const vault = new Vault(KeyRing.parse(`a:${masterA}`));
const context = { clientId: 'c1', secretVersion: 1, provider: 'capillary', tokenHost: 'eu.api.capillarytech.com' };
const canary = 'canary-4f1c9e';

describe('Secret', () => {
  it('prints [secret] however it is printed', () => {
    const secret = new Secret(canary);
    const printed = [`${secret}`, JSON.stringify({ secret }), inspect({ secret }, { depth: 9, showHidden: true })];
    expect(printed.join()).not.toContain(canary);
    expect(printed[0]).toBe('[secret]');
    expect(secret.reveal()).toBe(canary);
  });
});

describe('secrets at rest', () => {
  it.each(['a', 'ab', 'abc'])('begin in a way that tells their master key, and no other: %s', async (kid) => {
    const sealed = await new Vault(KeyRing.parse(`${kid}:${masterA}`)).seal(new Secret(canary), context);
    expect(sealed.startsWith(sealedPrefix(kid))).toBe(true);
    for (const other of ['a', 'ab', 'abc', 'abcd', 'b'].filter((name) => name !== kid)) {
      expect(sealed.startsWith(sealedPrefix(other))).toBe(false);
    }
  });

  it('open to what was sealed, and read with the master key and any JOSE tool', async () => {
    const sealed = await vault.seal(new Secret(canary), context);
    expect(sealed).not.toContain(canary);
    expect((await vault.open(sealed, context)).reveal()).toBe(canary);
    const { plaintext } = await compactDecrypt(sealed, Buffer.from(masterA, 'base64'));
    expect(new TextDecoder().decode(plaintext)).toBe(canary);
  });

  it('are sealed differently each time', async () => {
    const [one, two] = await Promise.all([0, 1].map(() => vault.seal(new Secret(canary), context)));
    expect(one).not.toBe(two);
  });

  it.each([
    ['another client', { clientId: 'c2' }],
    ['another secret version', { secretVersion: 2 }],
    ['another provider', { provider: 'okta' }],
    ['another token host', { tokenHost: 'evil.example' }],
  ])('do not open for %s', async (_, change) => {
    const sealed = await vault.seal(new Secret(canary), context);
    await expect(vault.open(sealed, { ...context, ...change })).rejects.toThrow(CannotOpen);
  });

  it('do not open after any flipped character, always with the same error', async () => {
    const sealed = await vault.seal(new Secret(canary), context);
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length - 1), fc.constantFrom(...'AZaz09-_.'), async (at, char) => {
        const changed = sealed.slice(0, at) + char + sealed.slice(at + 1);
        // The last character of a base64url part carries spare bits: equal bytes are not a change.
        const bytes = (text: string) => text.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));
        fc.pre(bytes(changed).join() !== bytes(sealed).join());
        await expect(vault.open(changed, context)).rejects.toThrow(/^a sealed value could not be opened$/);
      }),
      { numRuns: 200 },
    );
  });

  it('refuse a foreign algorithm, a compressed plaintext and an unknown kid, even with the right key', async () => {
    const ctx = JSON.stringify(Object.values(context));
    const key = Buffer.from(masterA, 'base64');
    const write = (header: object) =>
      new CompactEncrypt(Buffer.from(canary))
        .setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM', kid: 'a', ctx, ...header })
        .encrypt(key);
    await expect(vault.open(await write({}), context)).resolves.toBeInstanceOf(Secret);
    for (const header of [{ enc: 'A128GCM' }, { alg: 'A256GCMKW' }, { alg: 'dir' }, { kid: 'b' }, { zip: 'DEF' }]) {
      await expect(write(header).then((sealed) => vault.open(sealed, context))).rejects.toThrow(CannotOpen);
    }
  });

  it('open after a new key was added in front, and not once their own key is gone', async () => {
    const sealed = await vault.seal(new Secret(canary), context);
    const rotated = new Vault(KeyRing.parse(`b:${masterB},a:${masterA}`));
    expect((await rotated.open(sealed, context)).reveal()).toBe(canary);
    await expect(new Vault(KeyRing.parse(`b:${masterB}`)).open(sealed, context)).rejects.toThrow(CannotOpen);
  });
});

describe('the fingerprints of a token', () => {
  it('are equal for equal tokens, tell nothing of them, and differ with the key', () => {
    const [one] = vault.fingerprints(new Secret(canary));
    expect(one).toMatch(/^[\w-]{8}$/);
    expect(vault.fingerprints(new Secret(canary))).toEqual([one]);
    expect(vault.fingerprints(new Secret(`${canary}.`))).not.toEqual([one]);
    expect(new Vault(KeyRing.parse(`b:${masterB}`)).fingerprints(new Secret(canary))).not.toContain(one);
  });

  it('made with an older key are known after a new one was put in front', () => {
    const rotated = new Vault(KeyRing.parse(`b:${masterB},a:${masterA}`)).fingerprints(new Secret(canary));
    expect(rotated).toHaveLength(2);
    expect(rotated[1]).toBe(vault.fingerprints(new Secret(canary))[0]);
  });
});

describe('tokens at rest', () => {
  it('open for their own client and generation only', () => {
    const sealed = vault.sealToken(new Secret(canary), 'c1:7');
    expect(sealed.includes(canary)).toBe(false);
    expect(vault.openToken(sealed, 'c1:7').reveal()).toBe(canary);
    expect(() => vault.openToken(sealed, 'c2:7')).toThrow(CannotOpen);
    expect(() => vault.openToken(sealed, 'c1:8')).toThrow(CannotOpen);
  });

  it('do not open after any flipped byte or any cut', () => {
    const sealed = vault.sealToken(new Secret(canary), 'c1:7');
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(sealed);
        changed[at] = changed[at]! ^ mask;
        expect(() => vault.openToken(changed, 'c1:7')).toThrow(CannotOpen);
        expect(() => vault.openToken(sealed.subarray(0, at), 'c1:7')).toThrow(CannotOpen);
      }),
    );
  });
});
