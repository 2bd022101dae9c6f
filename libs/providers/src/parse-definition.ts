import { Ajv2020, type ErrorObject } from 'ajv/dist/2020';
import { parseDocument } from 'yaml';
import { type CompiledDefinition, compile } from './compiled-definition';
import type { ProviderDefinition } from './definition';
import { definitionSchema } from './definition.schema';
import { type Fault, pointer } from './inputs';

/** A provider definition that cannot be used, with a pointer to each fault. */
export class InvalidDefinition extends Error {
  readonly code = 'invalid_definition';

  constructor(readonly faults: readonly Fault[]) {
    super(`invalid provider definition: ${faults.map((fault) => `${fault.pointer} ${fault.detail}`).join('; ')}`);
    this.name = 'InvalidDefinition';
  }
}

const maxChars = 65_536;
const validate = new Ajv2020({ allErrors: true, verbose: true, strict: false }).compile(definitionSchema);
const compiledDefinitions = new WeakMap<ProviderDefinition, CompiledDefinition>();

/**
 * Reads a definition from YAML (or JSON, which is YAML), with what is not wrong but worth a second look.
 *
 * @throws InvalidDefinition
 */
export function readDefinition(source: string): { definition: ProviderDefinition; warnings: Fault[] } {
  try {
    return { definition: parseDefinition(source), warnings: [] };
  } catch (error) {
    if (error instanceof RangeError) refuse('is nested too deeply');
    throw error;
  }
}

/** @throws InvalidDefinition */
export function parseDefinition(yamlText: string): ProviderDefinition {
  if (yamlText.length > maxChars) refuse(`is longer than ${maxChars} characters`);
  const document = parseDocument(yamlText, { prettyErrors: false });
  const fault = document.errors[0];
  if (fault) {
    const line = yamlText.slice(0, fault.pos[0]).split('\n').length;
    refuse(`is not YAML: ${fault.message} (at character ${fault.pos[0]})`, line);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    refuse(`is not YAML that can be read: ${(error as Error).message}`);
  }
  if (!validate(value)) throw new InvalidDefinition(faultsOf(validate.errors ?? []));
  const definition = deepFreeze(value as unknown as ProviderDefinition);
  compiledOf(definition);
  return definition;
}

/**
 * The definition with its templates parsed: once for each definition object.
 *
 * @throws InvalidDefinition
 */
export function compiledOf(definition: ProviderDefinition): CompiledDefinition {
  const known = compiledDefinitions.get(definition);
  if (known) return known;
  const { compiled, faults } = compile(definition);
  if (faults.length > 0) throw new InvalidDefinition(faults);
  compiledDefinitions.set(definition, compiled);
  return compiled;
}

function refuse(detail: string, line?: number): never {
  throw new InvalidDefinition([{ pointer: '', detail, ...(line !== undefined && { line }) }]);
}

/** Words for people: the names of what is surplus or allowed are in ajv's `params`, not in its message. */
function faultsOf(errors: readonly ErrorObject[]): Fault[] {
  const faults = errors
    // What ajv says about the branches of a choice, and about the pattern of a name, is said better by the error above it.
    .filter((error) => !/\/(anyOf|oneOf)\/\d/.test(error.schemaPath) && error.propertyName === undefined)
    .map(({ instancePath, keyword, params, message, schema }) => {
      const at = (name: unknown) => `${instancePath}${pointer(String(name))}`;
      if (keyword === 'additionalProperties')
        return { pointer: at(params['additionalProperty']), detail: 'is not known here' };
      if (keyword === 'required') return { pointer: at(params['missingProperty']), detail: 'is missing' };
      if (keyword === 'propertyNames') {
        return { pointer: at(params['propertyName']), detail: 'is not a name that can be used here' };
      }
      if (keyword === 'enum')
        return { pointer: instancePath, detail: `must be one of ${params['allowedValues'].join(', ')}` };
      const choices = keyword === 'oneOf' || keyword === 'anyOf' ? (schema as { required?: string[] }[]) : [];
      const names = choices.flatMap((choice) => choice.required ?? []).join(', ');
      if (names)
        return { pointer: instancePath, detail: `must have ${keyword === 'oneOf' ? 'exactly ' : ''}one of ${names}` };
      return { pointer: instancePath, detail: message ?? keyword };
    });
  return faults.slice(0, 50);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
