import { stringify } from 'yaml';
import { type IssuedToken, type TokenRequester, createTokenRequester, readDefinition } from '#providers';
import type { Definition } from './express';
import { type StubServer, startStubServer } from './stub-server';

/** The broker's clock, and the issuers'. */
export const now = Date.parse('2027-03-04T05:06:07Z');

/** A requester for which every host there is stands on loopback, for the tests of one file. */
export class Conversation {
  server!: StubServer;
  requester!: TokenRequester;

  static forThisFile(): Conversation {
    const talk = new Conversation();
    beforeAll(async () => {
      talk.server = await startStubServer();
      const { origin } = talk.server;
      const clock = { now: () => now, monotonic: () => now };
      talk.requester = createTokenRequester({ clock, allowedOrigins: [origin], route: () => origin });
    });
    afterAll(async () => {
      await talk.requester.close();
      await talk.server.close();
    });
    return talk;
  }

  /** Asks the issuer, by the definition as an admin would send it: as text. */
  request(
    definition: Definition,
    issuer: StubServer['issuer'],
    inputs: Readonly<Record<string, string>>,
  ): Promise<IssuedToken> {
    this.server.issuer = issuer;
    return this.requester.requestToken(readDefinition(stringify(definition)).definition, inputs);
  }
}
