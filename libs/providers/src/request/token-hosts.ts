import { digestOf } from '#vault';
import { systemClock } from '../clock';
import type { CompiledDefinition } from '../language/compiled-definition';
import type { ProviderDefinition } from '../language/definition';
import { compiledOf } from '../language/read-definition';
import { Template } from '../templates/template';
import { RequestScope } from './request-scope';
import { hostsOf, trusted, writeUrl } from './write-request';

const noRest = new Template('/');

/**
 * Host and port of every URL that the client's secrets may be sent to, sorted and joined by commas: the context that its
 * secrets are sealed with. The definition sees to it that no secret decides a host, nor an answer one that it does not
 * list; where the issuer's metadata decides, the issuer stands for them. Empty where nothing is sent anywhere. Authorities
 * that are named in place of the public ones are part of it, by a digest: they say who may pass for such a host. So are,
 * after `api:`, hosts of the API that the client's inputs decide, since its tokens are sent there.
 *
 * @param plainInputs the client's inputs without its secrets, as `checkInputs` returns them
 * @throws TemplateFault when the inputs do not make a URL
 */
export function tokenHosts(definition: ProviderDefinition, plainInputs: Readonly<Record<string, string>>): string {
  const compiled = compiledOf(definition);
  const scope = new RequestScope(compiled, { plain: { ...plainInputs }, secret: {} }, systemClock);
  const hosts = compiled.steps.flatMap((step) => {
    const { spec, url } = step;
    if (url.decidedBy === 'answer') return hostsOf(step, scope);
    if (url.decidedBy === 'discovery' && url.lead.isAbsent(scope)) return [];
    return [writeUrl({ ...url, rest: noRest }, scope, `the URL of step ${spec.id}`).host];
  });
  const issuer = compiled.discovery?.issuer;
  if (issuer && !issuer.lead.isAbsent(scope))
    hosts.push(writeUrl({ ...issuer, rest: noRest }, scope, 'the issuer').host);
  const authorities = [compiled.discovery?.ca, ...compiled.steps.map(({ ca }) => ca)].map(
    (ca) => trusted(ca, scope)?.ca,
  );
  const named = authorities.filter((ca) => ca !== undefined).map((ca) => `ca:${digestOf(ca)}`);
  const api = apiHosts(compiled, scope).filter((host) => !hosts.includes(host));
  return [...new Set([...hosts, ...named, ...api.map((host) => `api:${host}`)])].sort().join(',');
}

/** What the definition says in so many words is sealed with the definition. */
function apiHosts({ api }: CompiledDefinition, scope: RequestScope): string[] {
  if (!api) return [];
  const chosen = api.hosts.filter(({ references }) => references.length > 0);
  if (api.url.decidedBy === 'answer') return hostsOf({ hosts: chosen }, scope);
  if (api.url.lead.references.length === 0 || api.url.lead.isAbsent(scope)) return [];
  return [writeUrl({ ...api.url, rest: noRest }, scope, 'the URL of the API').host];
}
