import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProviderDefinition } from './definition';
import { parseDefinition } from './parse-definition';

/** The definitions that ship with the broker, by id. Reads the disk: call it once, at start. */
export function loadPresets(): Map<string, ProviderDefinition> {
  const folder = join(__dirname, '..', 'presets');
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const definitions = files.sort().map((file) => parseDefinition(readFileSync(join(folder, file), 'utf8')));
  return new Map(definitions.map((definition) => [definition.id, definition]));
}
