import { X509Certificate } from 'node:crypto';
import { type CertificateNames, namesIn } from './certificate-names';

/** What a proxy says of the certificate that it was shown, and has verified. */
export interface ForwardedCertificate {
  names: CertificateNames;
  /** Absent where only names were told. */
  certificate?: X509Certificate;
}

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Reads the header by its name: `client-cert` is RFC 9440's, `x-forwarded-client-cert` Envoy's; any other one holds PEM
 * in URL encoding (nginx's $ssl_client_escaped_cert, an AWS load balancer's leaf) or DER in base64 (HAProxy).
 * @throws when it cannot be read
 */
export function readCertificateHeader(name: string, value: string): ForwardedCertificate {
  if (name === 'x-forwarded-client-cert') return fromEnvoy(value);
  if (name === 'client-cert') {
    const encoded = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(value)?.[1];
    if (encoded === undefined) throw new Error('it is no byte sequence of RFC 9651');
    return whole(new X509Certificate(Buffer.from(encoded, 'base64')));
  }
  return whole(base64.test(value) ? new X509Certificate(Buffer.from(value, 'base64')) : fromPem(value));
}

/** `Hash=…;Cert="…";Subject="…";URI=…;DNS=…`, one for each proxy: the last was added by the one that we trust. */
function fromEnvoy(value: string): ForwardedCertificate {
  const fields = split(split(value, ',').at(-1)!, ';').map((field) => /^\s*(\w+)=("?)(.*)\2\s*$/s.exec(field));
  const all = (wanted: string): string[] =>
    fields.flatMap((field) => {
      if (field?.[1]!.toLowerCase() !== wanted) return [];
      return [field[2] ? field[3]!.replace(/\\(.)/gs, '$1') : field[3]!];
    });
  const [certificate] = all('cert');
  if (certificate) return whole(fromPem(certificate));
  return { names: { uri: all('uri').filter(Boolean), dns: all('dns').filter(Boolean), cn: [] } };
}

function fromPem(value: string): X509Certificate {
  const text = decodeURIComponent(value);
  if (!text.startsWith('-----BEGIN CERTIFICATE-----')) throw new Error('it is no PEM');
  return new X509Certificate(text);
}

function whole(certificate: X509Certificate): ForwardedCertificate {
  return { names: namesIn(certificate), certificate };
}

/** At separators that do not stand between quotes. */
function split(text: string, separator: ',' | ';'): string[] {
  const parts = [''];
  let [quoted, escaped] = [false, false];
  for (const char of text) {
    if (char === separator && !quoted) {
      parts.push('');
      continue;
    }
    if (char === '"' && !escaped) quoted = !quoted;
    escaped = char === '\\' && !escaped;
    parts[parts.length - 1] += char;
  }
  // Left open by a caller, it would make what the proxy has added a part of what the caller said.
  if (quoted) throw new Error('a quote is left open');
  return parts;
}
