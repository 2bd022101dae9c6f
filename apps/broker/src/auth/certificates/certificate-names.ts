import type { X509Certificate } from 'node:crypto';
import { isName } from '../../admin/name';
import type { CertificateSettings } from '../../config/tls';

/** What a certificate says of its holder. */
export interface CertificateNames {
  uri: string[];
  dns: string[];
  cn: string[];
}

const maxChars = 512;
/** Node writes what could be mistaken for a separator as a JSON string (CVE-2021-44532). */
const altName = /([A-Za-z][\w ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

export function namesIn(certificate: X509Certificate): CertificateNames {
  const { CN = [] } = certificate.toLegacyObject().subject as { CN?: string | string[] };
  return { ...altNamesIn(certificate.subjectAltName ?? ''), cn: [CN].flat() };
}

/**
 * The service that a certificate stands for. `undefined`: none, or more than one, which is nobody.
 */
export function serviceOf(names: CertificateNames, { from, pattern }: CertificateSettings): string | undefined {
  const services = new Set<string>();
  for (const name of names[from]) {
    if (name.length > maxChars) continue;
    const service = pattern ? pattern.exec(name)?.groups?.['service'] : name;
    if (service !== undefined && isName(service)) services.add(service);
  }
  const [service] = services;
  return services.size === 1 ? service : undefined;
}

function altNamesIn(text: string): Pick<CertificateNames, 'uri' | 'dns'> {
  const found: Pick<CertificateNames, 'uri' | 'dns'> = { uri: [], dns: [] };
  altName.lastIndex = 0;
  while (altName.lastIndex < text.length) {
    const match = altName.exec(text);
    // What cannot be read for certain names nobody.
    if (!match) return { uri: [], dns: [] };
    const [, kind, raw] = match;
    const value = raw!.startsWith('"') ? (JSON.parse(raw!) as string) : raw!;
    if (kind === 'URI') found.uri.push(value);
    if (kind === 'DNS') found.dns.push(value);
  }
  return found;
}
