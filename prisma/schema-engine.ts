import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engineGlue from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';

/** Node has it; the types of Node 20 and TypeScript's lib without DOM do not. */
declare const WebAssembly: {
  Module: new (program: Uint8Array) => object;
  Instance: new (module: object, imports: Record<string, object>) => { exports: object };
};

let instantiated = false;

/**
 * Prisma's CLI downloads its schema engine as a native program, which fails where there is no internet. The same engine
 * comes from npm as WebAssembly. The package's own entry imports the .wasm as a module, which Node cannot do unflagged:
 * hence by hand, once per process (0.2 s).
 */
function instantiate(): void {
  if (instantiated) return;
  const folder = dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const program = new WebAssembly.Module(readFileSync(join(folder, 'schema_engine_bg.wasm')));
  const instance = new WebAssembly.Instance(program, { './schema_engine_bg.js': withoutLingering(engineGlue) });
  engineGlue.__wbg_set_wasm(instance.exports);
  (instance.exports as { __wbindgen_start(): void }).__wbindgen_start();
  instantiated = true;
}

/** The engine never clears its timer of 10 s for the advisory lock, which would hold up the end of every process. */
function withoutLingering(glue: object): Record<string, unknown> {
  const imports: Record<string, unknown> = { ...glue };
  for (const name of Object.keys(imports).filter((each) => each.startsWith('__wbg_setTimeout_'))) {
    imports[name] = (callback: () => void, ms: number) => setTimeout(callback, ms).unref();
  }
  return imports;
}

/** One conversation with the engine. It connects through the adapter, and closes nothing: see `OwnConnections`. */
export async function openSchemaEngine(factory: SqlMigrationAwareDriverAdapterFactory): Promise<SchemaEngine> {
  instantiate();
  // Its own log repeats every migration's SQL; what matters of it comes back as results and errors.
  const ignoreLog = (): void => undefined;
  return engineGlue.SchemaEngine.new(
    { datamodels: undefined },
    ignoreLog,
    bindMigrationAwareSqlAdapterFactory(factory),
  );
}

export const noFilters = { externalTables: [], externalEnums: [] };
