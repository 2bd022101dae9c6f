// `oidc-provider`, an OpenID certified server, as an issuer of client credentials over TLS. In a process of its own: it is an
// ES module, which Jest's sandbox would have to be helped with, and shares nothing but the wire with what it tests.
// Started and spoken to by `issuer.ts`, through the channel that Node opens between a process and its child.
import { createServer } from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import { errors, Provider } from 'oidc-provider';
import { certificateOf, subjectMatches } from './certificates.mjs';
import { jwtBearer } from './jwt-bearer.mjs';

/** What came in, and what became of it; kept until asked for. */
const asked = [];

async function start({ tls, clientAuthority, insist, path, resources, lifeSeconds, scopes }) {
  const plain = createServer(tls);
  // Where it does not insist, the client's registration says which certificate is good enough: RFC 8705 knows self-signed ones.
  const mutual = createServer({ ...tls, ca: clientAuthority, requestCert: true, rejectUnauthorized: insist });
  const [origin, mutualOrigin] = await Promise.all([plain, mutual].map(listen));

  const provider = new Provider(origin + path, {
    jwks: { keys: [await signingKey('RS256'), await signingKey('ES256')] },
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
      'none',
    ],
    enabledJWA: { clientAuthSigningAlgValues: algorithms },
    clientDefaults: { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
    scopes,
    ttl: { ClientCredentials: (_, token) => token.resourceServer?.accessTokenTTL ?? lifeSeconds },
    // RFC 8705 5: where clients with certificates have to go.
    discovery: { mtls_endpoint_aliases: { token_endpoint: `${mutualOrigin}${path}/token` } },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => {
          if (!Object.hasOwn(resources, resource)) throw new errors.InvalidTarget();
          return { audience: resource, ...resources[resource] };
        },
      },
      mTLS: {
        enabled: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => certificateOf(ctx)?.toString(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: subjectMatches,
      },
    },
  });
  provider.registerGrantType(jwtBearer.grantType, jwtBearer.handler, jwtBearer.parameters);
  provider.use(record);
  provider.on('grant.error', note);
  for (const server of [plain, mutual]) server.on('request', mounted(provider.callback(), path));
  return { provider, origin, mutualOrigin };
}

/** At a path, as issuers with many tenants are; the way in which Connect tells what it is mounted at. */
function mounted(handle, path) {
  return (request, response) => {
    if (!request.url.startsWith(path)) return response.writeHead(404).end();
    request.originalUrl = request.url;
    request.url = request.url.slice(path.length);
    return handle(request, response);
  };
}

const algorithms = ['HS', 'RS', 'PS', 'ES'].flatMap((family) => ['256', '384', '512'].map((bits) => family + bits));
algorithms.push('EdDSA', 'Ed25519');

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: alg };
}

/** The name, since that is what a token URL has; the address, since only this machine is meant. */
async function listen(server) {
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return `https://localhost:${server.address().port}`;
}

function record(ctx, next) {
  return next().then(() =>
    asked.push({
      method: ctx.method,
      path: ctx.path,
      scheme: ctx.get('authorization').split(' ')[0] || undefined,
      credentials: credentialsIn(ctx),
      certificate: certificateOf(ctx)?.subject,
      form: { ...ctx.oidc?.body },
      status: ctx.status,
      why: ctx.state.why,
    }),
  );
}

/** As they stood on the wire. */
function credentialsIn(ctx) {
  const { client_secret, client_assertion, assertion } = ctx.oidc?.body ?? {};
  const given = [ctx.get('authorization').split(' ')[1], client_secret, client_assertion, assertion];
  return [...given, ctx.body?.access_token].filter(Boolean);
}

/** What the answer does not tell, and the test wants to know: that a refusal has the reason that was meant. */
function note(ctx, error) {
  ctx.state.why = error.error_detail ?? error.error_description;
}

const issuer = new Promise((resolve, reject) => {
  process.once('message', (options) => start(options).then(resolve, reject));
});

const answers = {
  start: async () => {
    const { origin, mutualOrigin } = await issuer;
    return { origin, mutualOrigin };
  },
  /** As RFC 7591 would, and by its rules, but with the id and the secret that the test wants. */
  register: async ({ client }) => {
    const { Client } = (await issuer).provider;
    await Client.validate(client);
    await Client.adapter.upsert(client.client_id, client);
  },
  asked: () => asked.splice(0),
};

process.on('message', async ({ id, verb, ...given }) => {
  try {
    process.send({ id, result: await answers[verb](given) });
  } catch (error) {
    process.send({ id, error: `${error.message} ${error.error_description ?? ''}` });
  }
});
// Nobody is left to answer to.
process.on('disconnect', () => process.exit());
