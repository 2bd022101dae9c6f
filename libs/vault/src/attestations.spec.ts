import { Attestations } from './attestations';
import { digestOf } from './digests';
import { ApiKeys } from './api-key';
import { KeyRing, newMasterKey } from './key-ring';

const [a, b] = [newMasterKey('a'), newMasterKey('b')];
const attestations = new Attestations(KeyRing.parse(a));
const statement = ['acme', 1, true, digestOf('text')] as const;

describe('attestations', () => {
  it('hold for what was attested and for nothing else', () => {
    const attestation = attestations.attest(statement);
    expect(attestations.holds(statement, attestation)).toBe(true);
    for (const other of [
      ['acme', 2, true, digestOf('text')],
      ['acme', '1', true, digestOf('text')],
      ['acme', 1, false, digestOf('text')],
      ['acme', 1, true, digestOf('texts')],
      ['acme', 1, true],
      ['acme,1', true, digestOf('text')],
    ]) {
      expect(attestations.holds(other, attestation)).toBe(false);
    }
    for (const mac of [attestation.mac.slice(0, 16), attestation.mac.map((byte) => byte ^ 1), new Uint8Array(0)]) {
      expect(attestations.holds(statement, { ...attestation, mac })).toBe(false);
    }
  });

  it('made before a new master key was put in front still hold, and none under a key that is not there', () => {
    const attestation = attestations.attest(statement);
    expect(new Attestations(KeyRing.parse(`${b},${a}`)).holds(statement, attestation)).toBe(true);
    expect(new Attestations(KeyRing.parse(b)).holds(statement, attestation)).toBe(false);
    expect(new Attestations(KeyRing.parse(b)).holds(statement, { ...attestation, macKid: 'b' })).toBe(false);
  });

  it('have a key of their own: the digest of an API key attests nothing', () => {
    const { digest, pepperKid } = new ApiKeys(KeyRing.parse(a)).digest(JSON.stringify(statement));
    expect(attestations.holds(statement, { mac: Uint8Array.from(digest), macKid: pepperKid })).toBe(false);
  });
});
