const inboundId = /^[\w.-]{1,64}$/;
const countDigits = 6;
const digits = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz', 'latin1');

/** Ids by which an answer, its problem and the log are brought together. All of this process that it makes are of one length. */
export class RequestIds {
  readonly #prefix = `${process.pid.toString(36)}-`;
  #count = 0;
  #now = 0;
  #time = '';

  /** The one that the request brought, if it is fit for a log; else a new one. */
  of(given: unknown): string {
    return isInboundId(given) ? given : this.next();
  }

  next(): string {
    const count = (this.#count = (this.#count + 1) % 36 ** countDigits);
    const text = count.toString(36).padStart(countDigits, '0');
    const now = Date.now();
    if (now !== this.#now) [this.#now, this.#time] = [now, now.toString(36)];
    return `${this.#prefix}${text}-${this.#time}`;
  }

  /** Counts on in an id that stands in `bytes`, of an answer that is sent again: the same as `next`, in place. */
  stamp(bytes: Buffer, at: number): void {
    let count = (this.#count = (this.#count + 1) % 36 ** countDigits);
    const first = at + this.#prefix.length;
    for (let i = first + countDigits - 1; i >= first; i--) {
      bytes[i] = digits[count % 36]!;
      count = Math.floor(count / 36);
    }
  }
}

export function isInboundId(given: unknown): given is string {
  return typeof given === 'string' && inboundId.test(given);
}
