import { defineConfig } from 'prisma/config';

// `prisma generate` insists on having a schema engine, downloads one if need be, and does not use it. Any program that
// exists contents it, so that generating works without internet. Migrations have their own engine: prisma/schema-engine.ts.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;
// Nor does a build of this project report to anyone that it took place.
process.env.CHECKPOINT_DISABLE ??= '1';

export default defineConfig({ schema: 'prisma/schema.prisma' });
