import { type JWTPayload, SignJWT } from 'jose';
import { readPrivateKey, Secret, signingAlgorithm, UnusableKey } from '#vault';
import type { Clock } from '../clock';
import type { CompiledAssertion, CompiledDefinition } from '../language/compiled-definition';
import type { KeyEncoding } from '../language/definition';
import type { Names } from '../templates/template';
import { TemplateFault } from '../templates/text';
import type { RequestScope } from './request-scope';
import { secretIn, writeJson } from './write-request';

const shared = /^HS(256|384|512)$/;
const algorithms = /^(HS|RS|PS|ES)(256|384|512)$|^EdDSA$|^Ed25519$/;
const times = ['iat', 'nbf', 'exp'];

/**
 * Signs those that are not signed yet, in the order in which they name each other.
 * @throws TemplateFault
 */
export async function signAssertions(
  wanted: readonly string[],
  { assertions }: CompiledDefinition,
  scope: RequestScope,
  clock: Clock,
): Promise<void> {
  for (const name of wanted) {
    if (scope.hasAssertion(name)) continue;
    const assertion = await sign(name, assertions.get(name)!, scope, clock);
    if (assertion) scope.learnAssertion(name, assertion);
  }
}

/**
 * Signs a JWT (RFC 7519; as client authentication RFC 7523) with the client's own key.
 *
 * @returns undefined when the key is an input that was not given
 * @throws TemplateFault
 */
async function sign(
  name: string,
  { spec, key, alg, passphrase, header, claims }: CompiledAssertion,
  names: Names,
  clock: Clock,
): Promise<Secret | undefined> {
  if (key.isAbsent(names)) return undefined;
  const wanted = alg?.renderUnlessAbsent(names);
  if (wanted !== undefined && !algorithms.test(wanted)) {
    throw new TemplateFault(
      `assertion ${name}: the algorithm must be RS, PS, ES or HS with 256, 384 or 512, or EdDSA (Ed25519)`,
    );
  }
  const text = new Secret(key.render(names));
  const phrase = secretIn(passphrase, names);
  try {
    const signing =
      wanted !== undefined && shared.test(wanted)
        ? { key: bytesOf(text, spec.key_encoding ?? 'utf8'), alg: wanted }
        : privateKey(text, phrase, wanted);
    const now = Math.floor(clock.now() / 1000);
    const payload = withTimes({ iat: now, exp: now + spec.ttl_s, ...(writeJson(claims, names) as JWTPayload) });
    const kid = 'kid' in signing && signing.kid !== undefined ? { kid: signing.kid } : {};
    const protectedHeader = { ...kid, ...(writeJson(header, names) as object), alg: signing.alg };
    return new Secret(await new SignJWT(payload).setProtectedHeader(protectedHeader).sign(signing.key));
  } catch (error) {
    if (error instanceof TemplateFault) throw error;
    if (error instanceof UnusableKey) throw new TemplateFault(`assertion ${name}: the key ${error.message}`);
    const which = wanted === undefined ? 'any algorithm' : wanted;
    throw new TemplateFault(`assertion ${name}: the key does not sign with ${which}; RSA keys need 2048 bits or more`);
  }
}

type SigningKey = { key: Parameters<SignJWT['sign']>[0]; alg: string; kid?: string };

function privateKey(text: Secret, passphrase: Secret | undefined, wanted: string | undefined): SigningKey {
  const { key, kid, alg } = readPrivateKey(text, passphrase);
  const chosen = wanted ?? (alg !== undefined && algorithms.test(alg) ? alg : signingAlgorithm(key));
  if (chosen === undefined) throw new UnusableKey('is of a kind that does not sign JWTs');
  return { key, alg: chosen, ...(kid !== undefined && { kid }) };
}

function bytesOf(text: Secret, encoding: KeyEncoding): Uint8Array {
  return Uint8Array.from(Buffer.from(text.reveal(), encoding));
}

/** `null` leaves a claim out; times are numbers (RFC 7519 NumericDate), whatever their template made of them. */
function withTimes(claims: JWTPayload): JWTPayload {
  const kept = Object.entries(claims).filter(([, value]) => value !== null);
  return Object.fromEntries(
    kept.map(([claim, value]) => [claim, times.includes(claim) && typeof value === 'string' ? Number(value) : value]),
  );
}
