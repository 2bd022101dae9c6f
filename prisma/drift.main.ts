import { drift } from './drift';

/** `npm run drift`: fails where schema.prisma says something that no migration does. */
async function main(): Promise<void> {
  const sql = await drift();
  if (!sql) return console.log('schema.prisma and prisma/migrations agree');
  console.error(
    `schema.prisma is ahead of prisma/migrations by:\n\n${sql}\nWrite it down: npm run migration -- <name>`,
  );
  process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
