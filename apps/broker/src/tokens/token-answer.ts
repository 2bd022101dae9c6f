/** One token handed out, or confirmed with 304. */
export interface TokenRead {
  service: string;
  /** Absent where the service showed no key of ours. */
  keyId?: string;
  clientId: string;
  /** The client's name. */
  client: string;
  generation: string;
  /** Wall clock, ms. */
  at: number;
}

/** Hears of every read. It is called on the path of the answer, so it only takes notes. */
export interface ReadObserver {
  note(read: TokenRead): void;
}
