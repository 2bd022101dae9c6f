import { type Audit, type ReadAudit, readsId, type TokenReads } from '#registry';
import type { ReadObserver, TokenRead } from '../tokens/token-answer';
import type { Metrics } from './metrics';

/** While the database is away they gather: some 30 MB. */
const maxRows = 100_000;
const rowsAtOnce = 5_000;

/** What could not be kept until the database was back. */
interface Loss {
  reads: number;
  from: number;
  to: number;
}

/**
 * Counts the reads of each second by key, client and generation, and carries the counts to the database, many at once. No
 * answer waits for it.
 */
export class ReadRecorder implements ReadObserver {
  /** Of the present second: by key (or service, where there is none), then by client. */
  readonly #counts = new Map<string, Map<string, TokenReads[]>>();
  #second = 0;
  #counted: TokenReads[] = [];
  #waiting: TokenReads[] = [];
  #loss: Loss | undefined;
  #writing = false;

  constructor(
    private readonly parts: {
      reads: Pick<ReadAudit, 'add'>;
      audit: Pick<Audit, 'note'>;
      metrics: Pick<Metrics, 'readsAudited'>;
    },
    private readonly now: () => number = Date.now,
  ) {}

  /** Rows that are not in the database yet. */
  get held(): number {
    return this.#waiting.length + this.#counted.length;
  }

  note(read: TokenRead): void {
    const second = Math.floor(read.at / 1_000);
    if (second !== this.#second) this.#endSecond(second);
    const { service, keyId, clientId, generation } = read;
    const holder = keyId ?? service;
    let byClient = this.#counts.get(holder);
    if (!byClient) this.#counts.set(holder, (byClient = new Map<string, TokenReads[]>()));
    let rows = byClient.get(clientId);
    if (!rows) byClient.set(clientId, (rows = []));
    // One; two in the second of a renewal.
    for (const row of rows) {
      if (row.generation === generation && row.service === service) {
        row.reads++;
        return;
      }
    }
    if (this.held >= maxRows) return this.#lose(read);
    const { client } = read;
    const [id, at] = [readsId(read.at), new Date(read.at)];
    const row = { id, at, reads: 1, service, keyId: keyId ?? null, clientId, client, generation };
    rows.push(row);
    this.#counted.push(row);
  }

  /**
   * Writes the counts of seconds that are over; keeps them for the next time when the database does not answer.
   * @param all at the end: of the present second, too
   */
  async flush(all = false): Promise<void> {
    const second = Math.floor(this.now() / 1_000);
    if (all || second !== this.#second) this.#endSecond(second);
    if (this.#writing) return;
    this.#writing = true;
    try {
      while (this.#waiting.length > 0) {
        const rows = this.#waiting.slice(0, rowsAtOnce);
        await this.parts.reads.add(rows);
        this.#waiting.splice(0, rows.length);
        this.parts.metrics.readsAudited(
          'written',
          rows.reduce((sum, row) => sum + row.reads, 0),
        );
      }
      await this.#tellLoss();
    } finally {
      this.#writing = false;
    }
  }

  #endSecond(next: number): void {
    this.#waiting.push(...this.#counted);
    this.#counted = [];
    this.#counts.clear();
    this.#second = next;
  }

  #lose({ at }: TokenRead): void {
    this.parts.metrics.readsAudited('lost', 1);
    this.#loss ??= { reads: 0, from: at, to: at };
    this.#loss.reads++;
    this.#loss.to = at;
  }

  /** That something is missing stands where one looks for who did what. */
  async #tellLoss(): Promise<void> {
    const loss = this.#loss;
    if (!loss) return;
    this.#loss = undefined;
    const detail = { reads: loss.reads, from: timeOf(loss.from), to: timeOf(loss.to) };
    try {
      await this.parts.audit.note({ actor: 'broker' }, 'reads.lost', 'token_reads', detail);
    } catch (error) {
      const { reads = 0, to = loss.to } = (this.#loss as Loss | undefined) ?? {};
      this.#loss = { reads: loss.reads + reads, from: loss.from, to };
      throw error;
    }
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
