import { InvalidKeyRing, KeyRing } from './key-ring';

const good = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64');
const other = Buffer.from('fedcba9876543210fedcba9876543210').toString('base64');

describe('MASTER_KEYS', () => {
  it('names its first key the primary and finds every key by its kid alone', () => {
    const ring = KeyRing.parse(`new:${good},old:${other}`);
    expect(ring.primary.kid).toBe('new');
    expect(ring.find('old')?.kid).toBe('old');
    expect(ring.find('older')).toBeUndefined();
  });

  it.each([
    ['empty', '', /kid:base64/],
    ['without a kid', good, /kid:base64/],
    ['short', `a:${Buffer.alloc(16, 3).toString('base64')}`, /16 bytes instead of 32/],
    ['no base64', 'a:%%%', /not base64/],
    ['all zero', `a:${Buffer.alloc(32).toString('base64')}`, /one byte repeated/],
    ['a repeated kid', `a:${good},a:${other}`, /"a" is repeated/],
    ['a repeated key', `a:${good},b:${good}`, /repeats another key/],
  ])('is refused when %s', (_, text, fault) => {
    expect(() => KeyRing.parse(text)).toThrow(fault);
  });

  it('is refused with every fault at once and without key material', () => {
    try {
      KeyRing.parse(`a:${good},a:${other},b:c2hvcnQ=,?`);
      throw new Error('was accepted');
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidKeyRing);
      expect((error as InvalidKeyRing).faults).toHaveLength(3);
      expect(String(error)).not.toContain(other);
    }
  });
});
