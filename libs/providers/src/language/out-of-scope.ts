import { type Fault, type Place, pointer } from './fault';

export const perRequestSignature =
  'A signature over each API request (AWS Signature 4, OAuth 1.0 and their like) is out of scope: ' +
  'what is to be signed is known only to the program that makes the request.';
const interactiveConsent =
  'Interactive consent (authorization code, device code, implicit) is out of scope: ' +
  'nobody is there to consent. Use a grant for machines, or a refresh token that was got once, as a secret input.';
const samlSignature =
  'A SAML assertion that the broker would have to sign is out of scope: XML signatures are not part of the language. ' +
  'One that another step fetches can be passed on.';

const reasons: [names: RegExp, reason: string][] = [
  [
    /^(oauth_?1.*|oauth_signature.*|aws.*|sigv4|sign|signer|signing|signature.*|request_signature|hawk)$/i,
    perRequestSignature,
  ],
  [
    /^(authoriz\w*_(url|endpoint|uri)|auth_url|redirect_ur[il]|callback.*|device_code|consent|login_url|pkce)$/i,
    interactiveConsent,
  ],
  [/^(saml.*|xmldsig|xml_signature)$/i, samlSignature],
];

/** Why a field of that name is not part of the language; undefined where there is nothing to say but that it is not. */
export function reasonFor(fieldName: string): string | undefined {
  return reasons.find(([names]) => names.test(fieldName))?.[1];
}

const consentGrants = ['authorization_code', 'implicit', 'urn:ietf:params:oauth:grant-type:device_code', 'device_code'];
const samlGrant = 'urn:ietf:params:oauth:grant-type:saml2-bearer';

/** What a definition asks for that no definition can have, wherever it says so. */
export function outOfScope(root: { values?: unknown; steps?: unknown }): Fault[] {
  const faults: Fault[] = [];
  const fault = (at: Place, detail: string) => faults.push({ pointer: pointer(...at), detail });
  // A value can hand an answer on: which one does is not looked into here.
  const fetched = /\bsteps\./.test(JSON.stringify(root.values) ?? '') ? /\b(steps|values)\./ : /\bsteps\./;
  walk(root.steps, ['steps'], (at, name, value, parent) => {
    const text = String(value).trim();
    if (name === 'response_type' && /^code\b/.test(text)) fault(at, interactiveConsent);
    if (name !== 'grant_type') return;
    if (consentGrants.includes(text)) fault(at, interactiveConsent);
    if (text === samlGrant && !fetched.test(JSON.stringify(parent))) fault(at, samlSignature);
  });
  // What is signed in `values` is known: a request of a step, or a token that is a signature (as of Amazon EKS).
  const { values: _, ...others } = root;
  walk(others, [], (at, name, value) => {
    if (
      /^oauth_signature(_method)?$/i.test(name) ||
      /^(OAuth\s+(realm|oauth_)|AWS4-HMAC|Hawk\s)/i.test(String(value))
    ) {
      fault(at, perRequestSignature);
    }
  });
  return faults;
}

type Visit = (at: Place, name: string, value: unknown, parent: object) => void;

function walk(value: unknown, at: Place, visit: Visit): void {
  // A definition has few levels; what has more is refused by its schema.
  if (typeof value !== 'object' || value === null || at.length > 24) return;
  for (const [name, inner] of Object.entries(value)) {
    const here = [...at, Array.isArray(value) ? Number(name) : name];
    if (typeof inner === 'object') walk(inner, here, visit);
    else visit(here, name, inner, value);
  }
}
