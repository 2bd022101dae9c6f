import { Ajv2020 } from 'ajv/dist/2020';
import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { compile } from './compile';
import type { CompiledDefinition } from './compiled-definition';
import type { ProviderDefinition } from './definition';
import { definitionSchema } from './definition.schema';
import type { Fault } from './fault';
import { outOfScope } from './out-of-scope';
import { schemaFaults } from './schema-faults';

/** A provider definition that cannot be used, with a pointer to each fault. */
export class InvalidDefinition extends Error {
  readonly code = 'invalid_definition';

  constructor(readonly faults: readonly Fault[]) {
    super(`invalid provider definition: ${faults.map((fault) => `${fault.pointer} ${fault.detail}`).join('; ')}`);
    this.name = 'InvalidDefinition';
  }
}

/** A definition that can be used, and what is worth knowing about it all the same. */
export interface ReadDefinition {
  definition: ProviderDefinition;
  warnings: readonly Fault[];
}

const maxChars = 65_536;
const maxDepth = 32;
const maxFaults = 50;
const validate = new Ajv2020({ allErrors: true, verbose: true, strict: false }).compile(definitionSchema);
const compiledDefinitions = new WeakMap<ProviderDefinition, CompiledDefinition>();

/**
 * Reads a definition from YAML (or JSON, which is YAML). The definition cannot be changed afterwards.
 *
 * @throws InvalidDefinition
 */
export function readDefinition(source: string): ReadDefinition {
  if (source.length > maxChars) throw refusal(`is longer than ${maxChars} characters`);
  const lines = new LineCounter();
  const document = parseDocument(source, { prettyErrors: false, logLevel: 'error', lineCounter: lines });
  const [fault] = document.errors;
  if (fault) {
    const { line } = lines.linePos(fault.pos[0]);
    throw refusal(`is not YAML: ${yamlFault(fault, source, line)}`, line);
  }
  const withLines = (faults: readonly Fault[]) =>
    faults.slice(0, maxFaults).map((one) => located(one, document, lines));
  const value = asValue(document);
  const scope = outOfScope(value);
  if (!validate(value)) throw new InvalidDefinition(withLines([...scope, ...schemaFaults(validate.errors ?? [])]));
  const definition = deepFreeze(value as unknown as ProviderDefinition);
  const { compiled, faults, warnings } = compile(definition);
  const all = withLines([...scope, ...faults]);
  if (all.length > 0) throw new InvalidDefinition(all);
  compiledDefinitions.set(definition, compiled);
  return { definition, warnings: withLines(warnings) };
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

function yamlFault({ code, message }: YAMLError, source: string, line: number): string {
  if (code === 'MULTIPLE_DOCS') return 'a line "---" begins a second document';
  const text = source.split('\n');
  if (text.filter((one) => one.trim()).length === 1 && source.length > 200)
    return `${message}; it has no line breaks: curl keeps them with --data-binary, and loses them with -d`;
  return text[line - 1]?.includes('{{') ? `${message}; a text with {{ }} in it is best put in quotes` : message;
}

function asValue(document: Document): object {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    throw refusal(`is not YAML that can be read: ${(error as Error).message}`);
  }
  if (depthOf(value) > maxDepth) throw refusal(`is nested more than ${maxDepth} levels deep`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refusal('is not a YAML mapping such as "id: acme"');
  }
  return value;
}

/** Counted level by level, since recursion would end where the stack does. */
function depthOf(value: unknown): number {
  let depth = 0;
  for (let level = [value]; level.length > 0 && depth <= maxDepth; depth++) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return depth;
}

function refusal(detail: string, line?: number): InvalidDefinition {
  return new InvalidDefinition([{ pointer: '', detail, ...(line !== undefined && { line }) }]);
}

/** With the line of what the pointer names; of what is missing, that of what it is missing from. */
function located(fault: Fault, document: Document, lines: LineCounter): Fault {
  const parts = fault.pointer
    .split('/')
    .slice(1)
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
  for (let length = parts.length; length >= 0; length--) {
    const node = nodeAt(document, parts.slice(0, length));
    if (node !== undefined) return { ...fault, line: lines.linePos(node).line };
  }
  return fault;
}

/** Where in the text the value begins. */
function nodeAt(document: Document, path: string[]): number | undefined {
  try {
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    return (node as { range?: [number, number, number] } | null | undefined)?.range?.[0];
  } catch {
    // Through an alias, or a scalar: its parent has a line.
    return undefined;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
