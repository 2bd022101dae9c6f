import type { Fetch } from '../http/transport';

/** As much of node:http's request and response as is used, so that nothing of Node is imported. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  method?: string | undefined;
  url?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
}

export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body?: string): unknown;
  destroy(): unknown;
  on(event: 'close', listener: () => void): unknown;
}

/** Lets something that answers like `fetch` answer over HTTP. */
export async function nodeListener(fetch: Fetch, request: NodeRequest, response: NodeResponse): Promise<void> {
  const { method = 'GET', url = '/', headers } = request;
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    const decoder = new TextDecoder();
    let body = '';
    for await (const chunk of request) body += decoder.decode(chunk, { stream: true });
    const sent = Object.entries(headers).filter((each): each is [string, string] => typeof each[1] === 'string');
    const answer = await fetch(`http://${String(headers['host'])}${url}`, {
      method,
      headers: sent,
      signal: gone.signal,
      ...(body !== '' && { body }),
    });
    const text = await answer.text();
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(text);
  } catch {
    response.destroy(); // as a broker does that is not there
  }
}
