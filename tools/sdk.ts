import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const sdk = join('libs', 'sdk');

/**
 * Writes the package as it is published, `npm publish dist/sdk`: the same sources compiled twice, as ES modules and as
 * CommonJS, each with its types. With DOM's types alone and none of Node's, so that what only Node has does not compile.
 * @param root of this repository
 * @param folder to write to
 * @throws with what the compiler says
 */
export function buildSdk(root: string, folder: string): void {
  for (const [name, type, module] of [
    ['esm', 'module', ts.ModuleKind.ES2022],
    ['cjs', 'commonjs', ts.ModuleKind.CommonJS],
  ] as const) {
    const outDir = join(folder, name);
    rmSync(outDir, { recursive: true, force: true });
    const program = ts.createProgram(
      ['index.ts', 'testing.ts'].map((file) => join(root, sdk, 'src', file)),
      {
        ...{ outDir, module, rootDir: join(root, sdk, 'src'), moduleResolution: ts.ModuleResolutionKind.Bundler },
        ...{ target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'] },
        ...{ types: [], declaration: true, stripInternal: true, useDefineForClassFields: false, noEmitOnError: true },
        ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
      },
    );
    const { diagnostics } = program.emit();
    const faults = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
    const host = { getCanonicalFileName: String, getCurrentDirectory: () => root, getNewLine: () => '\n' };
    if (faults.length > 0) throw new Error(ts.formatDiagnostics(faults, host));
    if (type === 'module') nameFiles(outDir);
    mkdirSync(outDir, { recursive: true });
    writeFileSync(join(outDir, 'package.json'), `${JSON.stringify({ type, sideEffects: false })}\n`);
  }
  for (const file of [join(sdk, 'package.json'), join(sdk, 'README.md'), 'LICENSE']) {
    cpSync(join(root, file), join(folder, file.slice(file.lastIndexOf('/') + 1)));
  }
}

/** ES modules name files, not modules: `./token` becomes `./token.js`. */
function nameFiles(folder: string): void {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/((?:from|import) ?\(?)(['"])(\.{1,2}\/[^'"]+)\2/g, '$1$2$3.js$2'));
  }
}
