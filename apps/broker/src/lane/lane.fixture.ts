import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type IssuedToken, ProviderUnavailable } from '#providers';
import { MemoryTokenStore, TokenService } from '#tokens';
import { KeyRing, newMasterKey, Secret, Vault } from '#vault';
import type { Caller, Credentials } from '../auth/authenticator';
import { createLogger } from '../logger';
import { RequestIds } from '../request-id';
import { createFastify } from '../server';
import { LongPoll } from '../tokens/long-poll';
import { type ReadObserver, TokenAnswers, type TokenRead } from '../tokens/token-answer';
import { registerTokenRoute } from '../tokens/token.route';
import { Lane } from './lane';

/** A store whose news does not arrive. */
class CutStore extends MemoryTokenStore {
  override onNews(): void {}

  override newsArrives(): boolean {
    return false;
  }
}

/** The token route on two ports of one process, once with the lane before it and once without. */
export class TwoDoors {
  /** What those who hold a key may do now; who is not here is nobody. */
  readonly keys = new Map<string, 'service' | 'admin'>([
    ['good', 'service'],
    ['admin', 'admin'],
  ]);
  readonly clients = new Map([
    ['eu', { clientId: 'eu', enabled: true }],
    ['off', { clientId: 'off', enabled: false }],
    ['down', { clientId: 'down', enabled: true }],
    ['utf8', { clientId: 'utf8', enabled: true }],
  ]);
  /** Whether callers are known without asking, or only after a while. */
  known = true;
  /** The text of each next token. */
  accessToken = 'a-token';
  /** Settles before any provider answers. */
  provider: Promise<void> = Promise.resolve();
  calls = 0;
  /** Requests that wait for the next token, and how many may. */
  waiting = 0;
  readonly places = 8;
  /** Whether the process is about to end. */
  ending = false;
  /** Connections that the lane did not keep. */
  handedOver = 0;
  readonly counted: string[] = [];
  readonly reads: TokenRead[] = [];
  readonly tokens: TokenService;
  /** Another replica, on the same store. */
  readonly elsewhere: TokenService;
  readonly lane: Lane;
  readonly #callers = new Map<string, Caller>();
  readonly #withLane;
  readonly #plain;

  constructor({ cut = false }: { cut?: boolean } = {}) {
    const clock = { now: () => Date.now(), monotonic: () => performance.now() };
    const store = cut ? new CutStore(clock) : new MemoryTokenStore(clock);
    const vault = new Vault(KeyRing.parse(newMasterKey('k')));
    const replica = (): TokenService =>
      new TokenService({
        store,
        vault,
        loadClient: async (id) => {
          const definition = { id: 'p', steps: [{}], token: { expiry: [] } } as never;
          return { id, provider: 'p', definition, version: 1, secretVersion: 1, inputs: async () => ({}) };
        },
        requestToken: async (): Promise<IssuedToken> => {
          this.calls++;
          await this.provider;
          const { accessToken } = this;
          if (accessToken === '') throw new ProviderUnavailable({ message: 'down', providerStatus: 502 });
          const sent = { sentAt: clock.now(), sentAtMonotonic: clock.monotonic() };
          const headers = { 'X-TOKEN': accessToken };
          return { ...sent, accessToken: new Secret(accessToken), tokenType: 'Bearer', lifeSeconds: 3_600, headers };
        },
        clock,
      });
    this.tokens = replica();
    this.elsewhere = replica();
    const parts = {
      authenticator: {
        identifyNow: (credentials: Credentials, name: string) =>
          this.known ? this.#caller(credentials, name) : undefined,
        identify: async (credentials: Credentials, name: string) => {
          await delay(5);
          return this.#caller(credentials, name);
        },
        stillKnown: (caller: Caller) => this.known && [...this.#callers.values()].includes(caller),
      } as never,
      tokens: this.tokens,
      metrics: {
        served: (result: string) => this.counted.push(result),
        waiting: (count: number) => (this.waiting = count),
      } as never,
      reads: { note: (read) => this.reads.push(read) } satisfies ReadObserver,
    };
    const ids = new RequestIds();
    const logger = createLogger('silent');
    const answers = new TokenAnswers(parts);
    this.#withLane = createFastify(logger, ids);
    this.#plain = createFastify(logger, ids);
    for (const door of [this.#withLane, this.#plain])
      registerTokenRoute(door, answers, new LongPoll(answers, this.places));
    this.#withLane.server.on('connection', () => this.handedOver++);
    this.lane = new Lane(this.#withLane.server, { answers, ids, logger, ending: () => this.ending });
    this.#withLane.addHook('preClose', (done) => {
      this.lane.close();
      done();
    });
  }

  async open(): Promise<void> {
    await this.#withLane.listen({ port: 0, host: '127.0.0.1' });
    await this.#plain.listen({ port: 0, host: '127.0.0.1' });
  }

  /** Another key, grant or client from now on: nobody is still known. */
  change(key: string, kind: 'service' | 'admin' | undefined): void {
    this.#callers.clear();
    if (kind) this.keys.set(key, kind);
    else this.keys.delete(key);
  }

  get server(): ReturnType<typeof createFastify>['server'] {
    return this.#withLane.server;
  }

  get lanePort(): number {
    return (this.#withLane.server.address() as AddressInfo).port;
  }

  get plainPort(): number {
    return (this.#plain.server.address() as AddressInfo).port;
  }

  closeLane(): Promise<void> {
    return this.#withLane.close();
  }

  async close(): Promise<void> {
    await Promise.all([this.#withLane.close(), this.#plain.close()]);
  }

  #caller({ authorization }: Credentials, name: string): Caller | null {
    const key = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
    const kind = this.keys.get(key);
    if (!kind) return null;
    const known = this.#callers.get(`${key} ${name}`);
    if (known) return known;
    const client = this.clients.get(name);
    const principal =
      kind === 'service'
        ? { kind, keyId: key, name: key === 'good' ? 'reader' : key }
        : { kind, keyId: key, name: 'boss', role: 'admin' as const };
    const caller: Caller = { principal, ...(client && { client }) };
    this.#callers.set(`${key} ${name}`, caller);
    return caller;
  }
}

/** A connection that says bytes as it is told, and hears bytes. */
export class Wire {
  heard = '';
  #rest = '';
  readonly #answers: Answer[] = [];
  ended = false;
  readonly closed: Promise<void>;
  #changed = (): void => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.heard += bytes.toString('latin1');
      this.#rest = parseAnswers(this.#rest + bytes.toString('latin1'), this.#answers);
      this.#changed();
    });
    socket.on('end', () => {
      this.ended = true;
      socket.end();
      this.#changed();
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.ended = true;
        resolve();
        this.#changed();
      });
    });
  }

  static open(port: number): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const wire = new Wire(socket);
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(wire)).once('error', reject);
    });
  }

  say(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Waits until that many answers are complete, or the connection has ended. */
  async answers(count: number): Promise<Answer[]> {
    for (;;) {
      if (this.#answers.length >= count || this.ended) return [...this.#answers];
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  /** One more answer to these bytes. */
  async ask(bytes: Buffer | string): Promise<Answer | undefined> {
    const before = this.#answers.length;
    this.say(bytes);
    return (await this.answers(before + 1))[before];
  }

  leave(): void {
    this.socket.destroy();
  }
}

export interface Answer {
  status: number;
  /** In the order and with the letters in which they came. */
  headers: [string, string][];
  body: string;
}

/** Adds those that are complete; answers with what is left over. */
function parseAnswers(heard: string, answers: Answer[]): string {
  let rest = heard;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return rest;
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
    const length = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 0);
    const after = end + 4 + length;
    if (rest.length < after) return rest;
    answers.push({ status: Number(first.split(' ')[1]), headers, body: rest.slice(end + 4, after) });
    rest = rest.slice(after);
  }
}

const generated = /[0-9a-z]+-[0-9a-z]{6}-[0-9a-z]{8}/g;

/** Without what differs from one answer to the next by nature. */
export function timeless(answers: (Answer | undefined)[]): unknown[] {
  return answers.map(
    (answer) =>
      answer && {
        ...answer,
        headers: answer.headers.map(([name, value]) => [
          name,
          name === 'Date' ? 'now' : value.replace(generated, 'an id'),
        ]),
        body: answer.body.replace(generated, 'an id').replace(/"expires_in":\d+/, '"expires_in":0'),
      },
  );
}

/** What a well-mannered caller sends. */
export function head(name = 'eu', headers: Record<string, string> = {}, query = ''): string {
  const all = { Host: 'broker', Authorization: 'Bearer good', ...headers };
  const lines = Object.entries(all).map(([header, value]) => `${header}: ${value}\r\n`);
  return `GET /v1/clients/${name}/token${query} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
