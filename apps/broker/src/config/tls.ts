import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { wholePattern } from './service-pattern';

/** What the TLS listener shows, and whose client certificates it trusts. PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

export interface TlsSettings {
  readonly port: number;
  /** As it is now, where it was given as files. @throws when they cannot be read, or do not fit together */
  read(): TlsFiles;
}

/** Which service a client certificate is of. */
export interface CertificateSettings {
  readonly from: 'uri' | 'dns' | 'cn';
  /** Matches the whole of the name; the group `service` is the service. Absent: the name is the service. */
  readonly pattern?: RegExp;
  /** In lower case: where a trusted proxy says which certificate it was shown. */
  readonly header?: string;
}

export interface TlsEnvironment {
  TLS_PORT: number | undefined;
  TLS_CERT: string | undefined;
  TLS_KEY: string | undefined;
  TLS_CLIENT_CA: string | undefined;
  CLIENT_CERTIFICATE_SERVICE: string | undefined;
  CLIENT_CERTIFICATE_HEADER: string | undefined;
  TRUSTED_PROXIES: string[];
}

/** Each can also be given as `NAME_FILE`. */
export const tlsFiles = ['TLS_CERT', 'TLS_KEY', 'TLS_CLIENT_CA'] as const;

/** @param source the environment itself: what was given as a file is read again later */
export function readTls(env: TlsEnvironment, source: NodeJS.ProcessEnv, faults: string[]): TlsSettings | undefined {
  const { TLS_PORT: port, TLS_CERT: cert, TLS_KEY: key, TLS_CLIENT_CA: ca } = env;
  if (port === undefined) {
    for (const name of tlsFiles) if (env[name] !== undefined) faults.push(`${name} is of no use without TLS_PORT`);
    return undefined;
  }
  for (const name of ['TLS_CERT', 'TLS_KEY'] as const)
    if (env[name] === undefined) faults.push(`${name} is missing: TLS_PORT needs a certificate and its key, in PEM`);
  if (ca !== undefined && env.CLIENT_CERTIFICATE_SERVICE === undefined)
    faults.push(
      'TLS_CLIENT_CA is of no use without CLIENT_CERTIFICATE_SERVICE, which says what a certificate stands for',
    );
  if (cert === undefined || key === undefined) return undefined;
  const now = (name: (typeof tlsFiles)[number]): string | undefined => {
    const file = source[`${name}_FILE`];
    return file ? readFileSync(file, 'utf8').trim() : env[name];
  };
  const read = (): TlsFiles => {
    const clientCa = now('TLS_CLIENT_CA');
    const files = { cert: now('TLS_CERT')!, key: now('TLS_KEY')!, ...(clientCa !== undefined && { ca: clientCa }) };
    // OpenSSL takes a text without any certificate for an empty list: then nobody would be trusted, in silence.
    if (clientCa !== undefined && !clientCa.includes('-----BEGIN CERTIFICATE-----'))
      throw new Error('TLS_CLIENT_CA holds no certificate');
    createSecureContext(files);
    return files;
  };
  try {
    read();
  } catch (error) {
    faults.push(`TLS_CERT, TLS_KEY and TLS_CLIENT_CA cannot be used: ${(error as Error).message}`);
  }
  return { port, read };
}

export function readCertificates(env: TlsEnvironment, faults: string[]): CertificateSettings | undefined {
  const { CLIENT_CERTIFICATE_SERVICE: json, CLIENT_CERTIFICATE_HEADER: header } = env;
  if (header !== undefined) {
    if (!/^[a-z0-9-]{1,64}$/i.test(header) || /^(authorization|cookie|host|x-forwarded-for)$/i.test(header))
      faults.push('CLIENT_CERTIFICATE_HEADER must be the name of a header, such as Client-Cert');
    if (env.TRUSTED_PROXIES.length === 0)
      faults.push('CLIENT_CERTIFICATE_HEADER needs TRUSTED_PROXIES: from anybody else it is not believed');
    if (json === undefined) faults.push('CLIENT_CERTIFICATE_HEADER is of no use without CLIENT_CERTIFICATE_SERVICE');
  }
  if (json === undefined) return undefined;
  if (header === undefined && env.TLS_CLIENT_CA === undefined)
    faults.push('CLIENT_CERTIFICATE_SERVICE is of no use without TLS_CLIENT_CA or CLIENT_CERTIFICATE_HEADER');
  const mapping = readMapping(json, faults);
  return mapping && { ...mapping, ...(header !== undefined && { header: header.toLowerCase() }) };
}

function readMapping(json: string, faults: string[]): Pick<CertificateSettings, 'from' | 'pattern'> | undefined {
  const name = 'CLIENT_CERTIFICATE_SERVICE';
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    given = undefined;
  }
  const { from, pattern, ...others } = (given ?? {}) as Record<string, unknown>;
  if ((from !== 'uri' && from !== 'dns' && from !== 'cn') || Object.keys(others).length > 0) {
    faults.push(`${name} must be JSON: {"from": "uri"}, or dns or cn, and a "pattern" if need be`);
    return undefined;
  }
  if (pattern === undefined) return { from };
  const whole = wholePattern(String(pattern), `${name}/pattern`, faults);
  return whole && { from, pattern: whole };
}
