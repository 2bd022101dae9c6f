import { AddressRefused } from '#providers';
import { Problem } from '../problem';

/** No answer came: why, in words for the caller. What the broker refuses itself stays as it is. */
export function upstreamProblem(error: unknown, host: string, because: 'deadline' | undefined): unknown {
  if (error instanceof Problem) return error;
  if (error instanceof AddressRefused) {
    return new Problem('upstream_unreachable', `The API was not called: ${error.message}.`, { hint: error.hint });
  }
  const { code = '', name = '', cause } = (error ?? {}) as { code?: string; name?: string; cause?: unknown };
  if (cause instanceof Problem) return cause;
  if (because === 'deadline' || /TIMEOUT/i.test(code) || code === 'ETIMEDOUT')
    return new Problem('upstream_timeout', `The API at ${host} did not answer in time.`);
  const known = /^(UND_ERR_|E[A-Z]+|ERR_|CERT_|HPE_|UNABLE_|SELF_|DEPTH_)/.test(code) || name === 'AggregateError';
  if (!known) return error;
  return new Problem('upstream_unreachable', `No answer came from the API at ${host}: ${code || name}.`);
}
