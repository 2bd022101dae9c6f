import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  jwtVerify,
  type JWTVerifyOptions,
  type JWTVerifyResult,
} from 'jose';
import { metadataUrls, type ReadDocument } from '#providers';
import type { JwtIssuer } from '../../config/jwt-issuers';
import type { Seldom } from '../seldom';

/** An issuer may withdraw a key: by then it is noticed. */
const readAgainMs = 10 * 60_000;
/** A key that is not known may be new; whoever makes up names of keys shall not have the issuer asked for each. */
const unknownEveryMs = 30_000;
const afterFailureMs = 5_000;

/** No key of the issuer is known, and it does not show them now: nobody can say whether a JWT is good. */
export class IssuerAway extends Error {
  override readonly name = 'IssuerAway';
}

/** The public keys of one issuer, read when they are needed; those read last go on while it does not answer. */
export class IssuerKeys {
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #text = '';
  #version = 0;
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(
    readonly issuer: JwtIssuer,
    private readonly read: ReadDocument,
    private readonly seldom: Seldom,
    private readonly monotonic: () => number,
  ) {}

  /** Rises when the keys are others: what was verified with those before is to be verified anew. */
  get version(): number {
    return this.#version;
  }

  /** Reads the keys again in a while, in the background: also where every token was verified before. */
  keepUp(): void {
    if (this.#askedMsAgo() >= readAgainMs) void this.#ask();
  }

  /** @throws IssuerAway, or what `jose` finds wrong with the token */
  async verify(token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
    if (!this.#keys) await this.#first();
    else this.keepUp();
    try {
      return await this.#verify(token, options);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (!this.#asking && this.#askedMsAgo() < unknownEveryMs) throw error;
      await this.#ask();
      return this.#verify(token, options);
    }
  }

  async #verify(token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
    const keys = this.#keys!;
    try {
      return await jwtVerify(token, keys, options);
    } catch (error) {
      // The token does not say which key it was signed with, and there are several.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        const result = await jwtVerify(token, key, options).catch((reason: unknown) => {
          if (reason instanceof errors.JWSSignatureVerificationFailed) return undefined;
          throw reason;
        });
        if (result) return result;
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  async #first(): Promise<void> {
    if (this.#asking || this.#askedMsAgo() >= afterFailureMs) await this.#ask();
    if (!this.#keys) throw new IssuerAway(`no key of the issuer ${this.issuer.issuer} is known`);
  }

  #askedMsAgo(): number {
    return this.monotonic() - this.#askedAt;
  }

  /** Never rejects: what is known goes on, and the log says why. */
  #ask(): Promise<void> {
    this.#asking ??= this.#readKeys()
      .catch((error: unknown) => {
        const why = (error as Error).message;
        this.seldom.say('the keys of an issuer of JWTs could not be read', { issuer: this.issuer.issuer, why });
      })
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #readKeys(): Promise<void> {
    this.#askedAt = this.monotonic();
    const jwks = (await this.#document(this.issuer.jwksUri ?? (await this.#discover()))) as unknown as JSONWebKeySet;
    const keys = createLocalJWKSet(jwks);
    const text = JSON.stringify(jwks);
    if (text !== this.#text) this.#version++;
    [this.#keys, this.#text] = [keys, text];
  }

  async #discover(): Promise<URL> {
    const { issuer } = this.issuer;
    let failure: unknown;
    for (const url of metadataUrls(new URL(issuer))) {
      try {
        const { issuer: named, jwks_uri } = await this.#document(url);
        // RFC 8414 3.3: metadata of another issuer must not be used.
        if (named !== issuer) throw new Error(`${url.href} is of the issuer ${String(named)}, not ${issuer}`);
        if (typeof jwks_uri !== 'string' || !URL.canParse(jwks_uri)) throw new Error(`${url.href} names no jwks_uri`);
        return new URL(jwks_uri);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  async #document(url: URL): Promise<Record<string, unknown>> {
    const { ca, tokenFile, jwksUri, issuer } = this.issuer;
    // The broker's own token goes where the operator said, not where metadata point.
    const mayShow = tokenFile !== undefined && url.origin === (jwksUri ?? new URL(issuer)).origin;
    return this.read(url, { ca, bearer: mayShow ? (await readFile(tokenFile, 'utf8')).trim() : undefined });
  }
}
