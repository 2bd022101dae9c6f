/** An answer before it is sent; JSON unless it says otherwise. */
export interface Answer {
  status: number;
  body: string;
  contentType?: string;
  headers?: Record<string, string>;
}

/** A route's own response: what to count it as, and what to send unless the connection was ended instead. */
export interface Handled {
  outcome: string;
  answer?: Answer;
}

/** Capillary's code for a key and secret that do not match. */
const refusalCode = 320001;

/** `ttl` undefined leaves the field out. */
export function tokenAnswer(accessToken: string, ttl: unknown): Answer {
  return json(200, { data: { accessToken, ttlSeconds: ttl }, errors: null });
}

/** The token route's form of an error. */
export function errorAnswer(status: number, code: number, message: string): Answer {
  return json(status, { data: null, errors: [{ code, message }] });
}

export function refusalAnswer(status: number): Answer {
  return errorAnswer(status, refusalCode, 'Invalid client key and secret');
}

/** The resource APIs' form of a status: the code is text. */
export function statusAnswer(status: number, code: string, message: string, more: object = {}): Answer {
  const success = String(code === '200');
  return json(status, { response: { status: { success, code, message } }, ...more });
}

export function htmlAnswer(status: number, title: string): Answer {
  return {
    status,
    contentType: 'text/html',
    body: `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
  };
}

/** The time as Capillary prints it in "Token expired at …": India's, without a colon in the offset. */
export function indiaTime(ms: number): string {
  const offsetMinutes = 330;
  return new Date(ms + offsetMinutes * 60_000).toISOString().replace('Z', '+0530');
}

function json(status: number, body: object): Answer {
  return { status, body: JSON.stringify(body) };
}
