import type { Path } from '../templates/path';
import type { CompiledUrl } from './compiled-definition';
import type { TemplateReader, Where } from './template-reader';

const literalAuthority = /^https:\/\/(?:\{\{.*?\}\}|[^/?#{}])*/s;
const leadingExpression = /^\{\{.*?\}\}/s;

/**
 * A URL, apart from what follows the host. The secrets of a client are sealed for the hosts of its token URLs: no secret
 * is in one, and no answer chooses one that the definition does not list.
 */
export function compileUrl(
  reader: TemplateReader,
  source: string,
  where: Where,
  hosts?: readonly string[],
): CompiledUrl {
  const literal = literalAuthority.exec(source)?.[0];
  const lead = literal ?? leadingExpression.exec(source)?.[0] ?? '';
  const rest = source.slice(lead.length);
  const fault = (detail: string) => reader.fault(where.at, detail);

  const template = reader.read(lead || 'https://unparsed', {
    ...where,
    inUrl: 'plain',
    position: literal ? 'authority' : 'url_lead',
  });
  const compiled = { lead: template, rest: reader.read(rest, { ...where, position: 'url' }) };
  const isUrlInput = ([root, name]: Path) => root === 'inputs' && reader.isOfFormat(name, 'url');
  if (compiled.rest.references.some(({ path }) => isUrlInput(path)))
    fault('an input of format url can only stand at the start of a url');
  if (compiled.rest.literalText().includes('#')) fault('must not have a fragment');
  if (rest !== '' && !/^[/?]/.test(rest)) fault('what follows the host must begin with "/" or "?"');
  if (!lead) {
    fault('must begin with https://, with an input of format url, or with discovery.…');
    return { ...compiled, decidedBy: 'definition' };
  }
  const { steps, discovery } = reader.traits(template.references);
  reader.destination(template, where.at, 'the host');
  const decidedBy = steps.size > 0 ? 'answer' : discovery ? 'discovery' : 'definition';
  if (decidedBy === 'answer' && !hosts) {
    fault('an answer decides the host: list the only ones that it may name with hosts: [...] on the step');
  }
  if (literal) {
    if (literal.includes('@')) fault('must not have a user name');
    if (template.references.some(({ path }) => isUrlInput(path)))
      fault('an input of format url can only stand at the start of a url');
    if (template.references.some(({ path }) => path[0] === 'inputs' && reader.isOfFormat(path[1], 'path')))
      fault('an input of format path can only stand after the host');
    if (decidedBy === 'discovery') fault('discovery.… names whole URLs: let the url begin with it');
    if (template.references.length === 0 && !URL.canParse(literal)) fault('has no host');
  } else {
    const choices = template.alternatives;
    const fits = ([root, name]: Path) => isUrlInput([root!, name!]) || root === 'discovery' || root === 'steps';
    const urls = choices?.literals.every((text) => /^https:\/\/[^/?#@]/.test(text) && URL.canParse(text));
    if (!choices?.paths.every(fits) || !urls) {
      fault('must begin with https://, with an input of format url, or with discovery.…');
    }
  }
  return { ...compiled, decidedBy };
}
