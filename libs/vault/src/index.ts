export { ApiKeys, type KeyDigest, type KeyKind, keyPrefix } from './api-key';
export { type Attestation, Attestations } from './attestations';
export { digest, type DigestAlgorithm, digestOf, hmac, randomBytes } from './digests';
export {
  certificateThumbprint,
  publicKeySha256,
  readCertificate,
  readPrivateKey,
  restorePem,
  sign,
  type SignatureAlgorithm,
  signingAlgorithm,
  UnusableKey,
} from './key-material';
export { InvalidKeyRing, KeyRing, newMasterKey } from './key-ring';
export { Secret } from './secret';
export { CannotOpen, type SealContext, sealedPrefix, Vault } from './vault';
