import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The project's folder, seen from here as from `dist/`, where the fault harness runs. */
export const root = [join(__dirname, '..', '..'), join(__dirname, '..', '..', '..')].find((folder) =>
  existsSync(join(folder, 'package.json')),
)!;
