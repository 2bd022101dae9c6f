import type { InvalidDefinition, ProviderError } from '#providers';
import type {
  AlreadyExists,
  LastAdminKey,
  NotFound,
  ProviderInUse,
  ProviderIsPreset,
  UnknownProvider,
  VersionMismatch,
} from '#registry';
import type { TokenUnavailable } from '#tokens';
import type { CannotOpen } from '#vault';

export interface FieldFault {
  /** JSON pointer into the body, or into the query as if it were an object. */
  pointer: string;
  detail: string;
  /** Of a definition's text, from 1. */
  line?: number;
}

/** A request that cannot be fulfilled, said by one of the doors. */
export class Problem extends Error {
  constructor(
    readonly code: ErrorCode,
    detail: string,
    readonly more: { errors?: FieldFault[]; hint?: string; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.name = 'Problem';
  }
}

/** To a property, as RFC 6901 writes it. @param parent a pointer, too */
export function pointerTo(property: string, parent = ''): string {
  return `${parent}/${property.replace(/~/g, '~0').replace(/\//g, '~1')}`;
}

/** A fault that the decorators of a body or query cannot see. */
export function invalid(pointer: string, detail: string): Problem {
  return new Problem('validation_failed', `${detail}.`, { errors: [{ pointer, detail }] });
}

/** The libs' own errors that a caller can meet: the compiler asks for the code of each in the table below. */
type LibError =
  | AlreadyExists
  | CannotOpen
  | InvalidDefinition
  | LastAdminKey
  | NotFound
  | ProviderError
  | ProviderInUse
  | ProviderIsPreset
  | TokenUnavailable
  | UnknownProvider
  | VersionMismatch;

interface ProblemType {
  status: number;
  title: string;
  hint?: string;
}

/** What a code means to the caller. */
export const problemTypes = {
  already_exists: {
    status: 409,
    title: 'It exists already',
    hint: 'Choose another name, or change the one that exists.',
  },
  api_unknown: {
    status: 409,
    title: 'It is not known where the API is',
    hint: 'Say so in the provider\'s definition ("api"), or move the client to a version that does: PATCH /v1/clients/{name} with provider_version.',
  },
  body_too_large: { status: 413, title: 'The request body is too large', hint: 'The limit is 64 KiB.' },
  cannot_open: { status: 409, title: 'What is stored cannot be opened or trusted' },
  client_disabled: {
    status: 409,
    title: 'The client is disabled',
    hint: 'An admin can enable it: POST /v1/clients/{name}/enable.',
  },
  credentials_refused: { status: 422, title: 'The provider refuses these credentials' },
  database_unavailable: {
    status: 503,
    title: 'The database does not answer',
    hint: 'Tokens are served all the same; try again shortly.',
  },
  forbidden: {
    status: 403,
    title: 'This key may not do that',
    hint: 'Use a key with the role that the route asks for.',
  },
  internal: { status: 500, title: 'Something went wrong here', hint: 'The log has the cause, under the request_id.' },
  invalid_definition: {
    status: 422,
    title: 'The provider definition cannot be used',
    hint: 'Each fault has a pointer into the definition, and the line where that is known.',
  },
  invalid_inputs: {
    status: 422,
    title: 'The inputs do not fit the provider',
    hint: 'Each fault has a pointer into the request body.',
  },
  issuer_unavailable: {
    status: 503,
    title: 'The issuer of the JWT does not show its keys',
    hint: 'Try again shortly. The log says what keeps its keys from being read.',
  },
  last_admin_key: {
    status: 409,
    title: 'It is the last usable admin key',
    hint: 'Make another one first: POST /v1/admin-keys.',
  },
  malformed_json: {
    status: 400,
    title: 'The body is not valid JSON',
    hint: 'A provider definition in YAML is sent with "Content-Type: application/yaml".',
  },
  method_not_allowed: { status: 405, title: 'This method is not allowed here' },
  not_found: { status: 404, title: 'Not found' },
  precondition_required: {
    status: 428,
    title: 'If-Match is required',
    hint: 'Send the ETag that GET returned, so that no change of somebody else is lost.',
  },
  provider_in_use: {
    status: 409,
    title: 'The provider has clients',
    hint: 'Delete them first: GET /v1/clients?provider={id} lists them.',
  },
  provider_is_preset: {
    status: 409,
    title: 'It is a preset',
    hint: 'Presets come with the broker: take its definition for one of your own, under another id.',
  },
  provider_misconfigured: {
    status: 422,
    title: 'The provider answered in a way that its definition does not describe',
  },
  provider_unavailable: { status: 502, title: 'The provider gave no usable answer' },
  proxy_busy: {
    status: 503,
    title: 'Too many calls are under way',
    hint: 'Repeat it in a moment, or call through another replica.',
  },
  request_not_forwarded: {
    status: 400,
    title: 'The request cannot be forwarded',
    hint: 'Write the path as the API documents it, percent-encoded, without "." and "..", encoded slashes or backslashes.',
  },
  secrets_required: {
    status: 422,
    title: 'The secret inputs must be given again',
    hint: 'A stored secret never goes to a host, or into an answer, that it was not given for.',
  },
  stream_unavailable: {
    status: 503,
    title: 'No further listener can be taken',
    hint: 'Listen at another replica, or read pages: "Accept: application/json".',
  },
  throttled: { status: 503, title: 'The provider asks to be left alone for a while' },
  token_unavailable: { status: 503, title: 'There is no token that may be served now' },
  too_many_requests: {
    status: 429,
    title: 'Too many bad attempts',
    hint: 'Correct the key, or whatever else is shown. Good keys are served all the same, from the same address too.',
  },
  too_many_waiting: {
    status: 503,
    title: 'No further request can wait here for the next token',
    hint: 'Ask without `wait`, or wait at another replica.',
  },
  unauthenticated: {
    status: 401,
    title: 'A valid key is needed',
    hint: 'Send the header "Authorization: Bearer <key>".',
  },
  unknown_provider: { status: 422, title: 'There is no such provider' },
  unsupported_media_type: {
    status: 415,
    title: 'The body must be JSON',
    hint: 'Send "Content-Type: application/json"; with a provider definition in YAML, "application/yaml".',
  },
  upgrade_not_supported: {
    status: 501,
    title: 'Upgrades are not supported',
    hint: 'Get a token from the broker, and open the connection to the API yourself.',
  },
  upstream_timeout: {
    status: 504,
    title: 'The API did not answer in time',
    hint: 'Whether it has acted is not known: look before repeating what must not happen twice.',
  },
  upstream_unreachable: {
    status: 502,
    title: 'The API gave no answer',
    hint: 'Whether it has acted is not known: look before repeating what must not happen twice.',
  },
  validation_failed: { status: 400, title: 'The request is not well-formed', hint: 'Each fault has a pointer.' },
  version_mismatch: {
    status: 412,
    title: 'Somebody else changed it meanwhile',
    hint: 'GET it again, and repeat the change with its new ETag.',
  },
} satisfies Record<LibError['code'], ProblemType> & Record<string, ProblemType>;

/** Every code that a problem+json answer may carry. */
export type ErrorCode = keyof typeof problemTypes;

/** Served by the broker itself, so that the link works wherever it runs. */
const documentation = '/docs/errors.md';

/** RFC 9457. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  hint?: string;
  request_id: string;
  errors?: FieldFault[];
  [member: string]: unknown;
}

export function problemBody(
  code: ErrorCode,
  detail: string,
  requestId: string,
  more: { hint?: string | undefined; errors?: FieldFault[] | undefined; [member: string]: unknown } = {},
): ProblemBody {
  const { status, title, hint: usualHint }: ProblemType = problemTypes[code];
  const { hint = usualHint, errors, ...members } = more;
  return {
    type: `${documentation}#${code}`,
    title,
    status,
    detail,
    code,
    ...(hint !== undefined && { hint }),
    request_id: requestId,
    ...(errors && errors.length > 0 && { errors }),
    ...members,
  };
}
