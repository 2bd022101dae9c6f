import { type Answer, holds } from './condition';
import type { ProviderDefinition } from './definition';

/**
 * Whether an answer of the provider's API means that the token is no longer accepted (`renew.invalid_when`; HTTP 401
 * where the definition does not say).
 *
 * @param answer its status, and its body when that is JSON
 */
export function isTokenInvalid({ renew }: ProviderDefinition, answer: Answer): boolean {
  return (renew?.invalid_when ?? [{ status: 401 }]).some((condition) => holds(condition, answer));
}
