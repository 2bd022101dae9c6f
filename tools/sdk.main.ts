import { join } from 'node:path';
import { buildSdk } from './sdk';
import { faultsOfPackage } from './sdk-package';

/** `npm run sdk` writes the package to dist/sdk, or to the folder given, and says what is wrong with it. */
async function main(): Promise<void> {
  const root = join(__dirname, '..', '..');
  const [folder = join(root, 'dist', 'sdk')] = process.argv.slice(2);
  buildSdk(root, folder);
  const faults = await faultsOfPackage(folder);
  if (faults.length === 0) return console.log(`Wrote ${folder}`);
  console.error(faults.join('\n'));
  process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
