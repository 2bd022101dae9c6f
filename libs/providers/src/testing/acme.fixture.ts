import { stringify } from 'yaml';
import { readDefinition } from '../language/read-definition';
import type { IssuedToken } from '../request/issued-token';
import type { Answer, Conversation } from './conversation.fixture';

/** A definition of one step, with changes; the answer is what the step gets. */
export function definitionOf(change: Record<string, unknown>, step: Record<string, unknown> = {}): string {
  return stringify({
    id: 'acme',
    inputs: { base: { format: 'url' }, user: { optional: true }, pass: { secret: true, optional: true } },
    steps: [{ id: 's', method: 'POST', url: '{{inputs.base}}/token', ...step }],
    token: { value: '{{steps.s.body.token}}', expiry: [{ fixed_s: 60 }] },
    present: { headers: { Authorization: 'Bearer {{token}}' } },
    ...change,
  });
}

export function ask(
  talk: Conversation,
  source: string,
  inputs: Record<string, string> = {},
  answer: Answer = { body: { token: 't' } },
): Promise<IssuedToken> {
  talk.answer = answer;
  const { definition } = readDefinition(source);
  const given = { user: 'me', pass: 'canary"&<pass>', ...inputs };
  const known = Object.entries(given).filter(([name]) => name in definition.inputs);
  const base = 'base' in definition.inputs ? { base: talk.provider.origin } : {};
  return talk.requester.requestToken(definition, { ...base, ...Object.fromEntries(known) });
}

export async function refusalOf(
  pending: Promise<unknown>,
): Promise<{ code: string; failure: { message: string; hint?: string } }> {
  return pending.then(
    () => Promise.reject(new Error('a token was issued')),
    (error: { code: string; failure: { message: string; hint?: string } }) => error,
  );
}
