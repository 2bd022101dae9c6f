import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { root } from '../test/harness/root';
import { type Title, withSections } from './sections';

const file = join(root, 'docs', 'performance.md');

/** Puts sections into docs/performance.md, each with the command and the machine that made it. */
export async function writeSections(
  sections: Partial<Record<Title, string>>,
  { command, machine }: { command: string; machine: string },
): Promise<void> {
  const made = `By \`${command}\`, ${new Date().toISOString().slice(0, 10)}. ${machine}.`;
  const fresh = Object.entries(sections).map(([title, body]) => [title, `${made}\n\n${body}`]);
  const text = withSections(readFileSync(file, 'utf8'), Object.fromEntries(fresh) as Partial<Record<Title, string>>);
  writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
}
