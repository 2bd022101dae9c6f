import type { Path } from '../templates/path';
import { Template } from '../templates/template';
import type { CompiledUrl } from './compiled-definition';
import type { TemplateReader, Where } from './template-reader';

const literalAuthority = /^https:\/\/(?:\{\{.*?\}\}|[^/?#{}])*/s;
const allowList = 'the operator adds its origin to ALLOWED_PROVIDER_HOSTS';
const unparsed = new Template('unparsed');
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
  if (/^http:/i.test(source)) {
    // All else that could be said of it is so because of that.
    fault(`must begin with https://; for plain http inside of a network take an input of format url (${allowList})`);
    return { lead: unparsed, rest: unparsed, decidedBy: 'definition' };
  }

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
  if (lead && rest !== '' && !/^[/?]/.test(rest)) fault('what follows the host must begin with "/" or "?"');
  const answers = where.api ? 'outputs.…' : 'discovery.…';
  const mustBegin = `must begin with https://, with an input of format url, or with ${answers}`;
  if (!lead) {
    fault(mustBegin);
    return { ...compiled, decidedBy: 'definition' };
  }
  const { steps, discovery } = reader.traits(template.references);
  reader.destination(template, where.at, 'the host');
  const byOutput = template.references.some(({ path }) => path[0] === 'outputs');
  const decidedBy = steps.size > 0 || byOutput ? 'answer' : discovery ? 'discovery' : 'definition';
  if (decidedBy === 'answer' && !hosts) {
    const place = where.api ? 'api' : 'the step';
    fault(`an answer decides the host: list the only ones that it may name with hosts: [...] on ${place}`);
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
    const fits = ([root, name]: Path) =>
      isUrlInput([root!, name!]) || ['discovery', 'steps', 'outputs'].includes(String(root));
    const urls = choices?.literals.every((text) => /^https:\/\/[^/?#@]/.test(text) && URL.canParse(text));
    const parts = template.references.filter(({ path }) => path[0] === 'inputs' && path.length > 2);
    if (parts.length > 0) {
      fault(
        `a part of ${parts[0]!.path.slice(0, 2).join('.')} cannot name the host: ask for it as an input of format url`,
      );
    } else if (!choices?.paths.every(fits) || !urls) {
      fault(mustBegin);
    }
  }
  return { ...compiled, decidedBy };
}
