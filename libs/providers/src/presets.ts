import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProviderDefinition } from './definition';
import { readDefinition } from './parse-definition';

export interface Preset {
  definition: ProviderDefinition;
  /** The YAML that it was read from. */
  source: string;
}

/** The definitions that ship with the broker, by id. Reads the disk: call it once, at start. */
export function loadPresets(): Map<string, Preset> {
  const folder = join(__dirname, '..', 'presets');
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const presets = files.sort().map((file) => {
    const source = readFileSync(join(folder, file), 'utf8');
    return { ...readDefinition(source), source };
  });
  return new Map(presets.map((preset) => [preset.definition.id, preset]));
}
