import { isDeepStrictEqual } from 'node:util';
import type { ReceivedRequest } from '../harness/local-provider';
import type { StubAnswer } from './stub-issuer';

export interface RecordedAnswer {
  status?: number;
  headers?: Record<string, string | string[]>;
  json?: unknown;
  text?: string;
}

/** One request and its answer, as written beside a definition. A text `~…` is a regular expression. */
export interface Exchange {
  request: {
    method: string;
    url: string;
    headers?: Record<string, string | null>;
    form?: Record<string, string>;
    json?: unknown;
    text?: string;
  };
  answer: RecordedAnswer;
}

/** Answers as was recorded, as long as it is asked as was recorded. */
export class RecordedIssuer {
  readonly complaints: string[] = [];
  readonly received: ReceivedRequest[] = [];

  constructor(
    private readonly exchanges: readonly Exchange[],
    private readonly now: number,
  ) {}

  get isDone(): boolean {
    return this.received.length === this.exchanges.length;
  }

  answer(request: ReceivedRequest): StubAnswer {
    const exchange = this.exchanges[this.received.length];
    this.received.push(request);
    const complaints = exchange ? complaintsAbout(request, exchange.request) : ['nothing more is awaited'];
    this.complaints.push(...complaints);
    const date = new Date(this.now).toUTCString();
    if (complaints.length > 0) return { status: 400, headers: { date }, body: '{"error":"invalid_request"}' };
    const { status = 200, headers = {}, json, text = JSON.stringify(json) } = exchange!.answer;
    const type = json === undefined ? undefined : { 'content-type': 'application/json' };
    return { status, headers: { date, ...type, ...headers }, body: text };
  }
}

function complaintsAbout(request: ReceivedRequest, wanted: Exchange['request']): string[] {
  const complaints: string[] = [];
  const expect = (what: string, actual: unknown, expected: unknown) => {
    if (!matches(actual, expected))
      complaints.push(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
  };
  expect('method', request.method, wanted.method);
  const url = new URL(wanted.url);
  const actual = new URL(request.url, `${url.protocol}//${request.headers['host'] as string}`);
  expect('host', actual.host, url.host);
  expect('path', decoded(actual), decoded(url));
  expect('query', [...actual.searchParams].sort(), [...url.searchParams].sort());
  for (const [name, text] of Object.entries(wanted.headers ?? {}))
    expect(name, request.headers[name], text ?? undefined);
  const type = String(request.headers['content-type']);
  const jsonType = wanted.headers?.['content-type'] ?? '~^application/json';
  if (wanted.form) {
    expect('type', type, '~^application/x-www-form-urlencoded(;|$)');
    expect('form', Object.fromEntries(new URLSearchParams(request.body)), wanted.form);
  } else if (wanted.json !== undefined) {
    expect('type', type, jsonType);
    expect('json', parsed(request.body), wanted.json);
  } else expect('body', request.body, wanted.text ?? '');
  return complaints;
}

function decoded({ pathname }: URL): string[] {
  return pathname.split('/').map(decodeURIComponent);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}

/** Whether it is what was expected, where texts of the expected may be patterns. */
export function matches(actual: unknown, expected: unknown): boolean {
  if (typeof expected === 'string' && expected.startsWith('~')) {
    return typeof actual === 'string' && new RegExp(expected.slice(1), 's').test(actual);
  }
  if (typeof expected !== 'object' || expected === null || Array.isArray(expected)) {
    return isDeepStrictEqual(actual, expected);
  }
  if (typeof actual !== 'object' || actual === null) return false;
  const names = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  return [...names].every((name) =>
    matches((actual as Record<string, unknown>)[name], (expected as Record<string, unknown>)[name]),
  );
}
