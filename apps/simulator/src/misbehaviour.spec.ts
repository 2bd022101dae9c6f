import { request } from 'node:http';
import { start, startRig, type Rig } from '../test/rig';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.control('DELETE', '/calls'));

describe('answers in place of a token', () => {
  it.each([500, 502, 503, 504])('outage %d: as JSON or as HTML, and no token is issued', async (status) => {
    await rig.modes({ outage: { status, body: 'json' } });
    const json = await rig.ask();
    expect([json.status, await json.json()]).toEqual([status, expect.objectContaining({ data: null })]);
    await rig.modes({ outage: { status, body: 'html' } });
    const html = await rig.ask();
    expect([html.status, html.headers.get('content-type')]).toEqual([status, 'text/html']);
    expect(await html.text()).toContain('<html>');
    expect((await rig.control('GET', '/clients/acme')).body).toMatchObject({ calls: 2, issued: 0 });
  });

  it.each([
    ['seconds', '45'],
    ['http_date', new Date(start + 45_000).toUTCString()],
    ['absent', null],
    ['absurd', '31536000000'],
    ['nonsense', 'soon'],
  ])('throttle: 429 with Retry-After in the form "%s"', async (retry_after, header) => {
    await rig.modes({ throttle: { retry_after, seconds: 45 } });
    const response = await rig.ask();
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, header]);
    expect(await rig.outcomes()).toEqual({ throttle: 1 });
  });

  it('html_200, empty_200 and errors_in_200: status 200 without a token', async () => {
    await rig.modes({ html_200: true });
    const html = await rig.ask();
    expect([html.status, html.headers.get('content-type')]).toEqual([200, 'text/html']);
    await rig.modes({ empty_200: true });
    const empty = await rig.ask();
    expect([empty.status, await empty.text()]).toEqual([200, '']);
    await rig.modes({ errors_in_200: 9001 });
    const errors = await rig.ask();
    const error = { code: 9001, message: 'Something went wrong' };
    expect([errors.status, await errors.json()]).toEqual([200, { data: null, errors: [error] }]);
    expect(await rig.outcomes()).toEqual({ html_200: 1, empty_200: 1, errors_in_200: 1 });
  });
});

describe('disfigured answers', () => {
  it('truncated: complete HTTP, incomplete JSON', async () => {
    await rig.modes({ truncated: true });
    const text = await (await rig.ask()).text();
    expect(text).toMatch(/^\{"data":\{"accessToken":/);
    expect(() => JSON.parse(text)).toThrow(/JSON/);
    expect(await rig.outcomes()).toEqual({ truncated: 1 });
  });

  it('oversized: more than 1 MB of otherwise valid JSON', async () => {
    await rig.modes({ oversized: true });
    const text = await (await rig.ask()).text();
    expect(text.length).toBeGreaterThan(1 << 20);
    expect(JSON.parse(text).errors).toBeNull();
  });

  it('gzip_bomb: under 128 KB on the wire, 64 MB once unpacked', async () => {
    await rig.modes({ gzip_bomb: true });
    const response = await rig.ask();
    expect(Number(response.headers.get('content-length'))).toBeLessThan(128 * 1024);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(64 * 1024 * 1024);
  });

  it('wrong_content_type: the right body under the wrong name', async () => {
    await rig.modes({ wrong_content_type: true });
    const response = await rig.ask();
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(await response.json()).toMatchObject({ errors: null });
  });
});

describe('lines that go wrong', () => {
  it('silence: the call is counted and never answered', async () => {
    await rig.modes({ silence: true });
    const url = `${rig.url}/v3/oauth/token/generate`;
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"key":"acme"}' };
    await expect(fetch(url, { ...init, signal: AbortSignal.timeout(80) })).rejects.toThrow('timeout');
    expect(await rig.outcomes()).toEqual({ silence: 1 });
  });

  it('silence: a simulator with a silent call still closes at once', async () => {
    const other = await startRig();
    await other.modes({ silence: true });
    const silent = other.ask().catch((error: Error) => error.message);
    while ((await other.control('GET', '/clients/acme')).body.calls === 0);
    await other.close();
    expect(await silent).toBe('fetch failed');
  });

  it('reset_before_headers: a reset, and no token is issued', async () => {
    await rig.modes({ reset_before_headers: { times: 1 } });
    const error = await rig.ask().catch((failure) => failure);
    expect(error.cause.code).toBe('ECONNRESET');
    expect((await rig.control('GET', '/clients/acme')).body).toMatchObject({ calls: 1, issued: 0 });
    expect((await rig.ask()).status).toBe(200);
  });

  it('reset_after_headers: the headers arrive, the body breaks off', async () => {
    await rig.modes({ reset_after_headers: true });
    const response = await rig.ask();
    expect(response.status).toBe(200);
    expect(response.headers.get('x-cap-requestid')).not.toBeNull();
    await expect(response.text()).rejects.toThrow('terminated');
  });

  it('latency_ms: the headers come late', async () => {
    await rig.modes({ latency_ms: 60 });
    const sent = performance.now();
    await rig.ask();
    expect(performance.now() - sent).toBeGreaterThan(55);
  });

  it('slow_body_ms: the headers come at once, the rest of the body late, and it is whole', async () => {
    await rig.modes({ slow_body_ms: 80 });
    const pieces: { at: number; text: string }[] = [];
    const options = { method: 'POST', headers: { 'content-type': 'application/json' } };
    await new Promise<void>((done) => {
      const call = request(`${rig.url}/v3/oauth/token/generate`, options, (response) => {
        response.on('data', (piece) => pieces.push({ at: performance.now(), text: String(piece) })).on('end', done);
      });
      call.end('{"key":"acme","secret":"s1"}');
    });
    expect(pieces.at(-1)!.at - pieces[0]!.at).toBeGreaterThan(60);
    expect(JSON.parse(pieces.map(({ text }) => text).join(''))).toMatchObject({ errors: null });
    expect(await rig.outcomes()).toEqual({ issued: 1 });
  });
});

describe('how long a mode lasts', () => {
  it('times: modes with a count run one after another, then the answers are good again', async () => {
    await rig.modes({ outage: { status: 502, times: 2 }, throttle: { times: 1 } });
    const statuses = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await rig.ask()).status);
    expect(statuses).toEqual([502, 502, 429, 200]);
    expect((await rig.control('GET', '/clients/acme/modes')).body).toEqual({ cheap_tokens: {} });
  });

  it('times: a disfigured answer waits its turn behind an outage', async () => {
    await rig.modes({ outage: { status: 500, times: 1 }, truncated: { times: 1 } });
    expect((await rig.ask()).status).toBe(500);
    await expect((await rig.ask()).json()).rejects.toThrow('JSON');
    expect(await rig.outcomes()).toEqual({ outage: 1, truncated: 1 });
  });

  it('after_calls: a mode lets that many calls pass first', async () => {
    await rig.modes({ outage: { status: 500, after_calls: 2, times: 1 } });
    const statuses = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await rig.ask()).status);
    expect(statuses).toEqual([200, 200, 500, 200]);
  });

  it('times: simultaneous calls share the count', async () => {
    await rig.modes({ outage: { status: 500, times: 3 } });
    const responses = await Promise.all(Array.from({ length: 10 }, () => rig.ask()));
    expect(responses.filter(({ status }) => status === 500)).toHaveLength(3);
  });

  it('a global mode applies to every client that does not set or switch off its own', async () => {
    await rig.modes({});
    await rig.control('PUT', '/clients/other', { secret: 's1', modes: { outage: false } });
    await rig.control('PUT', '/modes', { outage: 504, cheap_tokens: true });
    expect((await rig.ask()).status).toBe(504);
    expect((await rig.ask({ key: 'nobody', secret: 'x' })).status).toBe(504);
    expect((await rig.ask({ key: 'other', secret: 's1' })).status).toBe(200);
    await rig.control('DELETE', '/modes');
    expect((await rig.ask()).status).toBe(200);
  });
});
