import { type ServableToken, TokenUnavailable } from '#tokens';
import { Places } from '../places';
import { invalid, Problem } from '../problem';
import { type Admitted, matches, type TokenAnswers, type TokenQuestion } from './token-answer';

const maxWaitSeconds = 60;
/** News comes at once; a look this often covers news that is lost, and callers who may no longer ask. */
const lookMs = 1_000;
/** A few KB each; and a second has to suffice for looking after all of them. */
const maxWaiting = 10_000;

/** A request that waits. */
export interface Waiting {
  question: TokenQuestion;
  /** What the caller has. */
  ifNoneMatch: string;
  seconds: number;
  /** Calls back when the caller is gone. */
  onGone(gone: () => void): void;
}

/** Holds requests that would be answered "not modified" until there is a next token. */
export class LongPoll {
  readonly #wakers = new Set<() => void>();
  readonly #places: Places;
  #ending = false;

  constructor(
    private readonly answers: TokenAnswers,
    max = maxWaiting,
  ) {
    this.#places = new Places(max, full);
  }

  /** The process ends: nobody waits any longer. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Everybody is answered now: with what he has. */
  end(): void {
    this.#ending = true;
    for (const wake of this.#wakers) wake();
  }

  /**
   * The token that is there at the end of the waiting, and the caller, if he may still have it.
   * @throws Problem, also one that has come up meanwhile; TokenUnavailable
   */
  async next(
    { question, ifNoneMatch, seconds, onGone }: Waiting,
    first: { admitted: Admitted; token: ServableToken },
  ): Promise<{ admitted: Admitted; token: ServableToken }> {
    const free = this.#places.take(first.admitted.service.name);
    const endsAt = performance.now() + seconds * 1_000;
    let { admitted, token } = first;
    let gone = false;
    let lackingSince: number | undefined;
    let stopListening = (): void => undefined;
    const wake = (): void => stopListening();
    onGone(() => {
      gone = true;
      wake();
    });
    this.#wakers.add(wake);
    this.answers.waiting(this.#places.taken);
    try {
      for (;;) {
        const leftMs = endsAt - performance.now();
        const over = leftMs <= 0 || this.#ending || gone;
        // Listens first and looks then: what is new in between is in neither else.
        const news = this.answers.nextNews(admitted, over ? 0 : Math.min(lookMs, leftMs));
        stopListening = news.forget;
        try {
          if (gone) return { admitted, token };
          admitted = await this.answers.readmit(question, admitted);
          const found = await this.#find(
            admitted,
            over ? Infinity : performance.now() - (lackingSince ?? performance.now()),
          );
          if (found) token = found;
          if (over || (found && !matches(ifNoneMatch, found))) return { admitted, token };
          lackingSince = found ? undefined : (lackingSince ?? performance.now());
          await news.heard;
        } finally {
          news.forget();
        }
      }
    } finally {
      this.#wakers.delete(wake);
      free();
      this.answers.waiting(this.#places.taken);
    }
  }

  /**
   * Without a token for a moment, no answer is the best one: where the client was disabled or deleted, its token goes
   * before that is known, and who waits shall hear why.
   */
  async #find(admitted: Admitted, lackingMs: number): Promise<ServableToken | undefined> {
    try {
      return this.answers.peek(admitted) ?? (await this.answers.get(admitted));
    } catch (error) {
      if (error instanceof TokenUnavailable && lackingMs < lookMs) return undefined;
      throw error;
    }
  }
}

function full(to: 'all' | 'one'): Problem {
  const whose = to === 'all' ? 'requests' : 'requests of this service';
  return new Problem('too_many_waiting', `As many ${whose} as may wait here already do.`, {
    headers: { 'retry-after': '1' },
  });
}

/** Whole seconds; 0 where nothing is said. @throws Problem */
export function waitSeconds(given: unknown): number {
  if (given === undefined) return 0;
  const seconds = typeof given === 'string' && /^\d{1,2}$/.test(given) ? Number(given) : NaN;
  if (seconds >= 1 && seconds <= maxWaitSeconds) return seconds;
  throw invalid('/wait', `wait must be a whole number of seconds from 1 to ${maxWaitSeconds}`);
}
