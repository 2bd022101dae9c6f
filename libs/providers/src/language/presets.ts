import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProviderDefinition } from './definition';
import { readDefinition } from './read-definition';

/** A definition that ships with the broker. */
export interface Preset {
  definition: ProviderDefinition;
  /** The YAML text that it was read from. */
  source: string;
}

/** The presets by id. Reads the disk: call it once, at start. */
export function loadPresets(): Map<string, Preset> {
  const folder = join(__dirname, '..', '..', 'presets');
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const presets = files.sort().map((file) => {
    const source = readFileSync(join(folder, file), 'utf8');
    return { definition: readDefinition(source).definition, source };
  });
  return new Map(presets.map((preset) => [preset.definition.id, preset]));
}
