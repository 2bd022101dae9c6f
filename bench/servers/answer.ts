import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the broker answered, to be answered again by those that it is compared with. */
export interface Answer {
  headers: Record<string, string>;
  body: string;
}

/** Fastify's; with Node's own 5 s the header `Keep-Alive` would be a byte shorter. */
export const keepAliveMs = 72_000;

export function theAnswer(): Answer {
  return JSON.parse(process.env['BENCH_ANSWER'] ?? '{}') as Answer;
}

export function listen(server: Server): void {
  server.keepAliveTimeout = keepAliveMs;
  server.listen(0, '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}
