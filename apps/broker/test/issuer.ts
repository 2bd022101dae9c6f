import { type ReceivedRequest, startProvider } from '../../../test/harness/local-provider';

/** A provider on loopback that remembers what it was asked, and answers as it is told. */
export interface Issuer {
  url: string;
  received: ReceivedRequest[];
  /** Status and JSON of its answers from now on. */
  answer: (request: ReceivedRequest) => { status?: number; body: unknown };
  close(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  let tokens = 0;
  const { origin, received, close } = await startProvider((_, response, asked) => {
    const { status = 200, body } = issuer.answer(asked);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  const answer = () => ({ body: { access_token: `token-${(tokens += 1)}-of-the-issuer`, expires_in: 300 } });
  const issuer: Issuer = { url: origin, received, answer, close };
  return issuer;
}
