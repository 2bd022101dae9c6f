import type { Clock } from '../clock';
import { brokerError, BrokerUnreachable, type BrokerProblem, type TokenBrokerError } from '../errors';
import { without } from '../hidden';
import type { ErrorCode, FieldFault } from '../wire';
import { retryAfterSeconds } from './retry';

/** What an answer that is no success means. The body was read as text; the credential is taken out of it first. */
export function failureOf(
  { status, headers, type }: Pick<Response, 'status' | 'headers' | 'type'>,
  text: string,
  credential: string,
  clock: Clock,
): TokenBrokerError {
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    const words = 'The address of the broker redirects. The key is not sent on: give the address that it leads to.';
    return new BrokerUnreachable(words, status, false);
  }
  const problem = problemIn(headers.get('content-type'), without(credential, text));
  // An ingress without a broker behind it says 404 or 502 in words of its own.
  if (!problem) return new BrokerUnreachable(`The answer (${status}) is not one of a broker.`, status);
  const seconds = retryAfterSeconds(headers.get('retry-after'), clock);
  return brokerError({ ...problem, status, ...(seconds !== undefined && { retryAfterSeconds: seconds }) });
}

function problemIn(contentType: string | null, text: string): Omit<BrokerProblem, 'status'> | undefined {
  if (!/^application\/problem\+json\b/i.test(contentType ?? '')) return undefined;
  const body = parsed(text) as Record<string, unknown> | null | undefined;
  if (typeof body?.['code'] !== 'string') return undefined;
  const { code, detail, hint, reason, request_id: requestId, errors } = body;
  return {
    code: code as ErrorCode,
    detail: typeof detail === 'string' ? detail : code,
    ...(typeof hint === 'string' && { hint }),
    ...(typeof reason === 'string' && { reason }),
    ...(typeof requestId === 'string' && { requestId }),
    ...(Array.isArray(errors) && { faults: errors as FieldFault[] }),
  };
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
