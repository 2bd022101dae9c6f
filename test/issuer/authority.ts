import 'reflect-metadata'; // which @peculiar/x509 leans on
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key (PKCS #8), both PEM. */
export interface Identity {
  certificate: string;
  privateKey: string;
}

export interface Subject {
  /** As in `CN=billing,O=Example`. */
  subject: string;
  dns?: string[];
  ip?: string[];
  uri?: string[];
  email?: string[];
  /** When it is valid, counted from now. Default: a day back to a day ahead. */
  fromHours?: number;
  toHours?: number;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hourMs = 3_600_000;

/** A certificate authority that lives as long as the test, known to nobody who is not told of it. */
export class Authority {
  static async create(name: string): Promise<Authority> {
    const keys = await newKeys();
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      ...lifeOf({}),
      signingAlgorithm: algorithm,
      extensions: await authorityExtensions(keys),
    });
    return new Authority(root, keys);
  }

  private constructor(
    private readonly root: x509.X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  /** Its own certificate, PEM. */
  get certificate(): string {
    return this.root.toString('pem');
  }

  async issue(subject: Subject): Promise<Identity> {
    const keys = await newKeys();
    return identity(await this.#sign(subject, keys, extensionsOf(subject)), keys);
  }

  /** An authority in between. */
  async delegate(name: string): Promise<Authority> {
    const keys = await newKeys();
    return new Authority(await this.#sign({ subject: `CN=${name}` }, keys, await authorityExtensions(keys)), keys);
  }

  async #sign(subject: Subject, { publicKey }: webcrypto.CryptoKeyPair, extensions: x509.Extension[]) {
    return x509.X509CertificateGenerator.create({
      subject: subject.subject,
      issuer: this.root.subject,
      publicKey,
      signingKey: this.keys.privateKey,
      ...lifeOf(subject),
      signingAlgorithm: algorithm,
      extensions: [...extensions, await x509.AuthorityKeyIdentifierExtension.create(this.keys.publicKey)],
    });
  }
}

/** A certificate that no authority vouches for. */
export async function selfSigned(subject: Subject): Promise<Identity> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject.subject,
    keys,
    ...lifeOf(subject),
    signingAlgorithm: algorithm,
    extensions: extensionsOf(subject),
  });
  return identity(certificate, keys);
}

async function authorityExtensions({ publicKey }: webcrypto.CryptoKeyPair): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

function extensionsOf({ dns = [], ip = [], uri = [], email = [] }: Subject): x509.Extension[] {
  const names = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ip.map((value) => ({ type: 'ip' as const, value })),
    ...uri.map((value) => ({ type: 'url' as const, value })),
    ...email.map((value) => ({ type: 'email' as const, value })),
  ];
  return [
    new x509.BasicConstraintsExtension(false),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ];
}

function lifeOf({ fromHours = -24, toHours = 24 }: Pick<Subject, 'fromHours' | 'toHours'>) {
  const at = (hours: number): Date => new Date(Date.now() + hours * hourMs);
  return { notBefore: at(fromHours), notAfter: at(toHours) };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function identity(certificate: x509.X509Certificate, { privateKey }: webcrypto.CryptoKeyPair): Promise<Identity> {
  const der = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  return { certificate: certificate.toString('pem'), privateKey: x509.PemConverter.encode(der, 'PRIVATE KEY') };
}
