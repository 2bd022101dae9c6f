import type { InputSpec, ProviderDefinition } from './definition';
import type { TemplateReader } from './template-reader';

/** Names that secrets go by. */
const secretive =
  /secret|password|passphrase|(private_|api_?)key(?!_id)|^key$|(^|_)pin$|(access|refresh|api|bearer)_token$|^token$|jwk/;

/** What a schema cannot say about inputs. */
export function checkInputSpecs(source: ProviderDefinition, reader: TemplateReader): void {
  either(source, reader);
  for (const [name, spec] of Object.entries(source.inputs)) {
    const at = ['inputs', name];
    if (spec.secret && (spec.default !== undefined || spec.enum || spec.suggest)) {
      reader.fault(at, 'a secret has no default, enum or suggestions: the definition can be read by many');
    }
    if (spec.secret && (spec.format === 'url' || spec.format === 'host')) {
      reader.fault([...at, 'format'], 'a URL or a host is no secret: the secrets of a client are sealed for its hosts');
    }
    if (spec.format === 'private_key' && !spec.secret) reader.fault(at, 'a private key must be secret: true');
    if (spec.hosts && spec.format !== 'url' && spec.format !== 'host') {
      reader.fault([...at, 'hosts'], 'hosts belong to inputs of format url or host');
    }
    if (spec.enum && spec.default !== undefined && !spec.enum.includes(spec.default)) {
      reader.fault([...at, 'default'], 'is not in the enum');
    }
    needs(spec, at, source, reader);
    if (!spec.secret && !spec.enum && !spec.format && secretive.test(name)) {
      reader.warn(at, 'is called like a secret and is not one: add secret: true to have it sealed');
    }
  }
}

/** Those of a choice are optional one by one: what has to be there cannot be a choice. */
function either(source: ProviderDefinition, reader: TemplateReader): void {
  source.either?.forEach((names, index) => {
    for (const [position, name] of names.entries()) {
      const at = ['either', index, position];
      const spec = Object.hasOwn(source.inputs, name) ? source.inputs[name] : undefined;
      if (!spec) reader.fault(at, `"${name}" is not a declared input`);
      else if (!spec.optional)
        reader.fault(at, `"${name}" must be optional: true, since another may be given in its place`);
    }
  });
}

function needs(spec: InputSpec, at: string[], source: ProviderDefinition, reader: TemplateReader): void {
  for (const other of spec.needs ?? []) {
    if (!Object.hasOwn(source.inputs, other)) reader.fault([...at, 'needs'], `"${other}" is not a declared input`);
  }
  if (spec.needs && !spec.optional) reader.fault([...at, 'needs'], 'only an optional input can need another');
}
