import type { Secret } from '#vault';
import { systemClock } from '../clock';
import { ProviderMisconfigured } from '../failures/errors';
import { type Answer, holds } from '../failures/condition';
import { jsonIn } from '../json';
import type { Condition, ProviderDefinition } from '../language/definition';
import { compiledOf } from '../language/read-definition';
import { AllowedOrigins, hostFault, slashless, urlFault } from '../network/address';
import { TemplateFault } from '../templates/text';
import { checkInputs } from './inputs';
import { RequestScope } from './request-scope';
import { hostsOf, writeUrl } from './write-request';

/** The API of one client, as its definition has it. */
export interface Api {
  origin: string;
  /** What every path begins with; without a slash at its end. */
  basePath: string;
  /** Lower-case names of headers that a request may bring itself. */
  overridable: ReadonlySet<string>;
  invalidWhen: readonly Condition[];
}

/**
 * Where the client's API is; undefined where its definition does not say.
 * @param outputs of the token that is to be sent
 * @throws ProviderMisconfigured when inputs and outputs make no URL that a token may be sent to
 */
export function apiOf(
  definition: ProviderDefinition,
  inputs: Readonly<Record<string, string | Secret>>,
  outputs: Readonly<Record<string, string>>,
  options: { allowedOrigins: readonly string[] },
): Api | undefined {
  const compiled = compiledOf(definition);
  const { api } = compiled;
  if (!api) return undefined;
  const checked = checkInputs(definition, inputs, options);
  const [fault] = checked.faults;
  if (fault) throw misconfigured(`${fault.pointer} ${fault.detail}`);
  const scope = new RequestScope(compiled, { plain: checked.plain, secret: {} }, systemClock);
  scope.learnOutputs(outputs);
  // An input that need not be given.
  if (api.url.lead.isAbsent(scope) && api.url.decidedBy === 'definition') return undefined;
  try {
    const url = writeUrl(api.url, scope, 'the URL of the API');
    const stray = api.url.decidedBy === 'answer' ? hostFault(url, hostsOf(api, scope)) : undefined;
    const refused = urlFault(url, new AllowedOrigins(options.allowedOrigins)) ?? stray;
    if (refused !== undefined) throw misconfigured(`the URL of the API ${refused}`);
    if (url.search !== '') throw misconfigured('the URL of the API must not have a query');
    return {
      origin: url.origin,
      basePath: slashless(url.pathname),
      overridable: new Set(definition.present.override?.map((name) => name.toLowerCase())),
      invalidWhen: definition.renew?.invalid_when ?? [],
    };
  } catch (error) {
    throw error instanceof TemplateFault ? misconfigured(error.message) : error;
  }
}

function misconfigured(message: string): ProviderMisconfigured {
  return new ProviderMisconfigured({ message, hint: 'Correct the inputs or the definition.', reached: false });
}

type Head = Pick<Answer, 'status' | 'headers'>;

/** Whether an answer says that the token is dead, as far as its head tells; `unread`: the body may say so. */
export function isDeadBy({ invalidWhen }: Pick<Api, 'invalidWhen'>, head: Head): boolean | 'unread' {
  let unread = false;
  for (const { path, contains, header, ...condition } of invalidWhen) {
    const { status } = condition;
    if (status !== undefined && ![status].flat().includes(head.status)) continue;
    if (path !== undefined || (contains !== undefined && header === undefined)) unread = true;
    else if (holds({ ...condition, ...(header && { header }), ...(contains && { contains }) }, unreadAnswer(head)))
      return true;
  }
  return unread && 'unread';
}

/** The same, once its body has been read. */
export function isDeadWith({ invalidWhen }: Pick<Api, 'invalidWhen'>, head: Head, text: string): boolean {
  const answer = { ...head, text, body: jsonIn(text.replace(/^\uFEFF/, '')) };
  return invalidWhen.some((condition) => holds(condition, answer));
}

const unreadAnswer = (head: Head): Answer => ({ ...head, text: '', body: undefined });
