/**
 * Reads just enough of the answers on one connection to know that each is a 200 and where it ends. Most are as the one
 * before but for their date: then two places are looked at and nothing is parsed, so that the generator has time left.
 */
export class Answers {
  #missing = 0;
  #before: { headBytes: number; lengthAt: number; length: string; bytes: number } | undefined;

  /**
   * Takes what has arrived.
   * @returns whether an answer has ended with it
   * @throws when it is no 200, or nothing that is understood here
   */
  take(chunk: Buffer): boolean {
    if (this.#missing === 0) this.#missing = this.#asBefore(chunk) ?? this.#parse(chunk);
    this.#missing -= chunk.length;
    // webdis sends an answer twice now and then. It counts once.
    if (this.#missing < 0 && -this.#missing === this.#before?.bytes) this.#missing = 0;
    if (this.#missing < 0) throw new Error('More than was asked for');
    return this.#missing === 0;
  }

  #asBefore(chunk: Buffer): number | undefined {
    const before = this.#before;
    if (!before || !is200(chunk)) return undefined;
    const { headBytes, lengthAt, length, bytes } = before;
    if (chunk.length < headBytes || chunk[headBytes - 3] !== 10 || chunk[headBytes - 1] !== 10) return undefined;
    for (let i = 0; i < length.length; i++) if (chunk[lengthAt + i] !== length.charCodeAt(i)) return undefined;
    return bytes;
  }

  #parse(chunk: Buffer): number {
    const end = chunk.indexOf('\r\n\r\n');
    const head = chunk.toString('latin1', 0, end);
    const length = /\r\ncontent-length: \d+(?=\r|$)/i.exec(head);
    if (end < 0 || !is200(chunk) || !length) throw new Error(`Not an answer that is expected: ${head}`);
    const headBytes = end + 4;
    const bytes = headBytes + Number(/\d+/.exec(length[0])![0]);
    this.#before = { headBytes, lengthAt: length.index, length: `${length[0]}\r\n`, bytes };
    return bytes;
  }
}

function is200(chunk: Buffer): boolean {
  return chunk[9] === 0x32 && chunk[10] === 0x30 && chunk[11] === 0x30;
}
