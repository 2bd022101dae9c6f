import { readConfig } from './config';
import { startSimulator } from './simulator';

async function main(): Promise<void> {
  const simulator = await startSimulator(readConfig());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void simulator.close().then(() => process.exit(0)));
  }
  console.log(`simulator listening on ${simulator.url}`);
}

main().catch((error: Error) => {
  console.error(`simulator could not start: ${error.message}`);
  process.exit(1);
});
