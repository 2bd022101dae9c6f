import type { Call, Transport } from '../http/transport';

export interface Page<T> {
  items: T[];
  /** Of the next page; absent on the last. */
  next_cursor?: string;
}

/** A list that the broker tells page by page: each page is asked for when it is wanted. */
export class Pages<T> implements AsyncIterable<T> {
  readonly #transport: Transport;
  readonly #call: Pick<Call, 'path' | 'query'>;
  readonly #cursorName: string;

  constructor(
    transport: Transport,
    call: Pick<Call, 'path' | 'query'>,
    /** Under which the cursor is sent. */
    cursorName = 'cursor',
  ) {
    [this.#transport, this.#call, this.#cursorName] = [transport, call, cursorName];
  }

  /** One page: the first, or the one behind that cursor. */
  async page(cursor?: string): Promise<Page<T>> {
    const query = { ...this.#call.query, ...(cursor !== undefined && { [this.#cursorName]: cursor }) };
    const { body } = await this.#transport.call({ ...this.#call, query });
    return body as Page<T>;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let cursor: string | undefined;
    do {
      const { items, next_cursor } = await this.page(cursor);
      yield* items;
      cursor = next_cursor;
    } while (cursor !== undefined);
  }

  /** All of it. */
  async toArray(): Promise<T[]> {
    const all: T[] = [];
    for await (const item of this) all.push(item);
    return all;
  }
}
