import type { ProviderDefinition } from './definition';
import { compiledOf } from './parse-definition';
import { scopeOf, writeUrl } from './write-request';

/**
 * Host and port of every URL that the client's secrets may be sent to, sorted and joined by commas: the context that its
 * secrets are sealed with. The definition sees to it that neither a secret nor an answer decides a host.
 *
 * @param plainInputs the client's inputs without its secrets, as `checkInputs` returns them
 * @throws TemplateFault when the inputs do not make a URL
 */
export function tokenHosts(definition: ProviderDefinition, plainInputs: Readonly<Record<string, string>>): string {
  const compiled = compiledOf(definition);
  const scope = scopeOf(compiled, { plain: { ...plainInputs }, secret: {}, faults: [] });
  return [...new Set(compiled.steps.map((step) => writeUrl(step, scope).host))].sort().join(',');
}
