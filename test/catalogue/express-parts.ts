import type { SignedJwt } from './facts';

/** What is not regular about an entry. */
export interface Part {
  /** What a reference is called, where its name alone does not tell. */
  names?: Readonly<Record<string, string>>;
  /** Changes to inputs. */
  inputs?: Readonly<Record<string, { format?: 'url'; description?: string }>>;
  /** The URL, where that of the facts is none. */
  url?: string;
  /** More fields of the request. */
  fields?: Readonly<Record<string, string>>;
  /** An assertion that the entry implies. */
  assertion?: SignedJwt;
  keyEncoding?: 'hex';
  /** The input that holds the scope. */
  scope?: string;
}

export const parts: Readonly<Record<string, Part>> = {
  // The facts name no URL. Of the two values that they give to the header Authorization, the token is presented.
  'certn-partner': { url: '${token_url}', inputs: { token_url: { format: 'url' } } },
  // An admin key is "id:secret", the secret in hex.
  'ghost-admin': {
    names: {
      'credentials.privateKey.id': 'inputs.private_key | split: ":" | first',
      'credentials.privateKey.secret': 'inputs.private_key | split: ":" | last',
    },
    keyEncoding: 'hex',
  },
  // RFC 7523 2.2; the facts say private_key_jwt and no more.
  'okta-cc': {
    names: { client_assertion: 'assertions.client' },
    fields: {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: '${client_assertion}',
    },
    assertion: {
      alg: 'RS256',
      header: {},
      claims: {
        iss: '${client_id}',
        sub: '${client_id}',
        aud: 'https://{{ inputs.hostname | default: values.default_host }}/oauth2/v1/token',
        jti: '${random}',
      },
      lifetime_s: 300,
      signing_key: '${client_private_key}',
    },
    scope: 'oauth_scopes',
  },
  // Host and path in one: an input of format url.
  'veeva-vault-oauth': { url: '${token_url}', inputs: { token_url: { format: 'url' } } },
};

/** Entries that the language cannot express, each with the reason. */
export const inexpressible: Readonly<Record<string, string>> = {
  avanan: 'each API request carries a signature over its own path',
  'github-app-oauth': 'interactive consent: a user authorizes the app in a browser',
  'netsuite-tba': 'each API request carries an OAuth 1.0 signature',
};
