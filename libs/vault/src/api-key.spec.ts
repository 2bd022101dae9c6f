import fc from 'fast-check';
import { ApiKeys, keyPrefix } from './api-key';
import { KeyRing } from './key-ring';

const master = (text: string) => Buffer.from(text.repeat(8)).toString('base64');
const keys = new ApiKeys(KeyRing.parse(`a:${master('abcd')}`));

describe('API keys', () => {
  it('match their own digest and no other', () => {
    const one = keys.mint('tbk');
    const two = keys.mint('tbk');
    expect(keys.matches(one.key.reveal(), one)).toBe(true);
    expect(keys.matches(two.key.reveal(), one)).toBe(false);
    expect(one.key.reveal()).toMatch(/^tbk_[0-9A-Za-z]{41}$/);
    expect(one.key.reveal().startsWith(one.prefix)).toBe(true);
  });

  it('are recognised by their checksum: any mistyped character costs no look-up', () => {
    const key = keys.mint('tba').key.reveal();
    expect(keyPrefix(key)).toBe(key.slice(0, 12));
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom(...'aZ09_'), (at, char) => {
        fc.pre(key[at] !== char);
        expect(keyPrefix(key.slice(0, at) + char + key.slice(at + 1))).toBeUndefined();
      }),
    );
    expect(keyPrefix('')).toBeUndefined();
  });

  it('are digested with a pepper: the same key under another master key, or a plain hash, does not match', () => {
    const { key, digest } = keys.mint('tbk');
    const elsewhere = new ApiKeys(KeyRing.parse(`a:${master('wxyz')}`));
    expect(elsewhere.matches(key.reveal(), { digest, pepperKid: 'a' })).toBe(false);
    expect(keys.matches(key.reveal(), { digest, pepperKid: 'gone' })).toBe(false);
    expect(keys.matches(key.reveal(), { digest: digest.subarray(0, 16), pepperKid: 'a' })).toBe(false);
  });

  it('made before a new master key was put in front still match', () => {
    const { key, digest, pepperKid } = keys.mint('tbk');
    const rotated = new ApiKeys(KeyRing.parse(`b:${master('wxyz')},a:${master('abcd')}`));
    expect(rotated.matches(key.reveal(), { digest, pepperKid })).toBe(true);
  });
});
