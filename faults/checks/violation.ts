export interface Violation {
  /** I1 … I9, as renewals promise them. */
  invariant: string;
  what: string;
  /** Where in the record to look. */
  at: number;
}

/** What a busy machine may add to any measured time. */
export const slackMs = 1_500;
