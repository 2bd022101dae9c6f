import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that cannot be compared with, and what would change that. */
export class NotInstalled extends Error {}

/**
 * Where the program is: on PATH, or where Debian puts servers, which is not on everybody's PATH.
 * @throws NotInstalled
 */
export function installed(program: string, packages: string, path = process.env.PATH ?? ''): string {
  for (const folder of [...path.split(delimiter).filter(Boolean), ...(path ? ['/usr/sbin'] : [])]) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // not in this folder
    }
  }
  throw new NotInstalled(`${program} is not installed: apt-get install ${packages}`);
}
