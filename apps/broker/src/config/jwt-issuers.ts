import { Ajv2020, type ErrorObject } from 'ajv/dist/2020';
import { readNamedFile } from './files';
import { wholePattern } from './service-pattern';

/** Whose JWTs are taken, and which service each of them is. */
export interface JwtIssuer {
  /** Exactly what stands in `iss`. */
  readonly issuer: string;
  /** One of these has to stand in `aud`. */
  readonly audiences: readonly string[];
  /** Where its keys are; absent: what its metadata say (RFC 8414, OpenID Connect Discovery). */
  readonly jwksUri?: URL;
  readonly algorithms: readonly string[];
  /** In lower case, without `application/`. Absent: `at+jwt`, `jwt` or none, as Kubernetes has it. */
  readonly typ?: string;
  readonly service: ServiceClaim;
  /** PEM of the authorities to trust for its keys, in place of the public ones. */
  readonly ca?: string;
  /** What it wants to see before it shows its keys; read at each request, since such tokens are replaced. */
  readonly tokenFile?: string;
}

export interface ServiceClaim {
  /** Names, from the outermost: a claim may be an object. */
  readonly path: readonly string[];
  /** Matches the whole of the claim; the group `service` is the name. Absent: the claim is the name. */
  readonly pattern?: RegExp;
}

/** Asymmetric ones only: with HS256 anybody who may verify may also sign. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

const text = { type: 'string', minLength: 1 } as const;
const schema = {
  type: 'array',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['issuer', 'audience'],
    properties: {
      issuer: text,
      audience: { type: ['string', 'array'], minLength: 1, minItems: 1, items: text },
      jwks_uri: text,
      algorithms: { type: 'array', minItems: 1, items: { enum: algorithms } },
      typ: text,
      service: {
        type: 'object',
        additionalProperties: false,
        properties: { claim: text, pattern: text },
      },
      ca_file: text,
      token_file: text,
    },
  },
};

interface Given {
  issuer: string;
  audience: string | string[];
  jwks_uri?: string;
  algorithms?: string[];
  typ?: string;
  service?: { claim?: string; pattern?: string };
  ca_file?: string;
  token_file?: string;
}

const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile<Given[]>(schema);

/** @param allowedOrigins where plain http is fine */
export function readJwtIssuers(json: string, allowedOrigins: readonly string[], faults: string[]): JwtIssuer[] {
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    faults.push('JWT_ISSUERS must be JSON: [{"issuer": "https://…", "audience": "…"}]');
    return [];
  }
  if (!validate(given)) {
    faults.push(...validate.errors!.map((error) => `JWT_ISSUERS${error.instancePath} ${words(error)}`));
    return [];
  }
  const issuers = given.map((one, index) => readIssuer(one, `JWT_ISSUERS/${index}`, allowedOrigins, faults));
  const names = issuers.map(({ issuer }) => issuer);
  for (const name of new Set(names.filter((one, at) => names.indexOf(one) !== at)))
    faults.push(`JWT_ISSUERS names the issuer ${name} twice`);
  return issuers;
}

function readIssuer(given: Given, at: string, allowedOrigins: readonly string[], faults: string[]): JwtIssuer {
  const { issuer, audience, jwks_uri, typ, service, ca_file, token_file } = given;
  const fetched = jwks_uri ?? issuer;
  const fault = URL.canParse(fetched) ? urlFault(new URL(fetched), allowedOrigins) : 'is no URL';
  if (fault !== undefined) faults.push(`${at}/${jwks_uri === undefined ? 'issuer' : 'jwks_uri'} ${fault}`);
  const ca = ca_file === undefined ? undefined : readNamedFile(`${at}/ca_file`, ca_file, faults);
  if (token_file !== undefined) readNamedFile(`${at}/token_file`, token_file, faults);
  return {
    issuer,
    audiences: [audience].flat(),
    ...(jwks_uri !== undefined && fault === undefined && { jwksUri: new URL(jwks_uri) }),
    algorithms: given.algorithms ?? algorithms,
    ...(typ !== undefined && { typ: typ.toLowerCase().replace(/^application\//, '') }),
    service: readService(service ?? {}, `${at}/service`, faults),
    ...(ca !== undefined && { ca }),
    ...(token_file !== undefined && { tokenFile: token_file }),
  };
}

function urlFault(url: URL, allowedOrigins: readonly string[]): string | undefined {
  if (url.protocol === 'https:' || allowedOrigins.includes(url.origin)) return undefined;
  return `must begin with https://, or ALLOWED_PROVIDER_HOSTS must name ${url.origin}`;
}

function readService(
  { claim = 'sub', pattern }: NonNullable<Given['service']>,
  at: string,
  faults: string[],
): ServiceClaim {
  // A JSON pointer where it leads into an object: /kubernetes.io/serviceaccount/name
  const path = claim.startsWith('/')
    ? claim
        .slice(1)
        .split('/')
        .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'))
    : [claim];
  const whole = pattern === undefined ? undefined : wholePattern(pattern, `${at}/pattern`, faults);
  return { path, ...(whole && { pattern: whole }) };
}

function words({ keyword, params, message = 'is wrong' }: ErrorObject): string {
  if (keyword === 'additionalProperties') return `has no property "${String(params['additionalProperty'])}"`;
  if (keyword === 'enum') return `must be one of ${(params['allowedValues'] as string[]).join(', ')}`;
  return message;
}
