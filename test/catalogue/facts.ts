import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Texts with `${credentials.x}`, `${connectionConfig.x}`, `${base64(…)}` and the like: the catalogue's own notation. */
type Texts = Readonly<Record<string, string>>;

export interface SignedJwt {
  alg: 'RS256' | 'ES256' | 'HS256';
  header: Texts;
  claims: Readonly<Record<string, string | string[]>>;
  lifetime_s: number;
  signing_key?: string;
}

export interface TokenRequestFacts {
  url?: string | null;
  method?: 'GET' | 'POST';
  content_type?: 'form' | 'json' | 'query' | 'none';
  client_auth?: string;
  grant_type?: string | null;
  body?: Readonly<Record<string, string | boolean>> | null;
  headers?: Texts | null;
  extra_params?: Texts;
  scope?: { separator: string | null; default: string[] | null };
  signed_jwt?: SignedJwt;
  local_mint?: SignedJwt;
  additional_steps?: readonly {
    token_url: string;
    body_format: 'form' | 'json';
    token_params: Texts;
    token_headers?: Texts;
  }[];
}

export interface ExpiryFacts {
  kind: 'in' | 'at' | 'fixed' | 'none_declared';
  path?: string;
  seconds?: number;
  fallback?: string;
}

/** What the catalogue says about one token endpoint. */
export interface Entry {
  name: string;
  display_name: string;
  docs_url: string;
  auth_mode: 'OAUTH2_CC' | 'TWO_STEP' | 'JWT' | 'BILL' | 'CUSTOM' | 'TBA';
  inputs: Record<'secret_or_user_fields' | 'assertion_fields' | 'config_fields' | 'integration_fields', string[]>;
  token_request: TokenRequestFacts;
  token_response: { token_path?: string; expiry?: ExpiryFacts; refresh_token_path?: string; also_returns?: string[] };
  presentation: { headers?: Texts; companion_headers?: Texts; base_url: string };
}

/** A copy of the facts that the project was given, whole. */
export const entries: readonly Entry[] = JSON.parse(readFileSync(join(__dirname, 'facts.json'), 'utf8')).providers;
