export { ApiKeys, type KeyDigest, type KeyKind, keyPrefix } from './api-key';
export { type Attestation, Attestations, digestOf } from './attestations';
export { InvalidKeyRing, KeyRing, newMasterKey } from './key-ring';
export { Secret } from './secret';
export { CannotOpen, type SealContext, Vault } from './vault';
