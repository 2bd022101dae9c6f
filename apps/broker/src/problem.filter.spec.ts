import { type ErrorCode, problemTypes } from './problem';
import { isOurs } from './problem.filter';

describe('the log of errors', () => {
  it('has what is ours, or a part’s that we lean on, and nothing that callers can fill it with', () => {
    expect((Object.keys(problemTypes) as ErrorCode[]).filter(isOurs)).toEqual([
      ...['database_unavailable', 'internal', 'provider_unavailable', 'throttled'],
    ]);
  });
});
