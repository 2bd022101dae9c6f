import { digestOf } from '#vault';
import { systemClock } from '../clock';
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
 * that are named in place of the public ones are part of it, by a digest: they say who may pass for such a host.
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
  return [...new Set([...hosts, ...named])].sort().join(',');
}
