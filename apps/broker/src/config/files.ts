import { readFileSync } from 'node:fs';

/** The text of a file that a variable names; a fault is noted when it cannot be read. */
export function readNamedFile(variable: string, file: string, faults: string[]): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (!text) faults.push(`${variable}: ${file} is empty`);
    return text;
  } catch (error) {
    faults.push(`${variable}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
}

/** The environment, with the values of those that are given as `NAME_FILE`. */
export function withFiles(source: NodeJS.ProcessEnv, names: readonly string[], faults: string[]): NodeJS.ProcessEnv {
  const values = { ...source };
  for (const name of names) {
    const file = source[`${name}_FILE`];
    if (!file) continue;
    if (source[name]) faults.push(`${name} and ${name}_FILE are both set: keep one`);
    values[name] = readNamedFile(`${name}_FILE`, file, faults);
  }
  return values;
}
