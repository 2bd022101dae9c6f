import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPorts } from './config';
import { type RunningProgram, startProgram } from './program';
import { explain } from './explain';
import { seed } from './seed';

/** Starts broker and simulator on loopback with clients in different states, and says what to try. */
async function main(): Promise<void> {
  const { brokerPort, simulatorPort } = readPorts();
  const dataDir = mkdtempSync(join(tmpdir(), 'token-broker-demo-'));
  const running: RunningProgram[] = [];
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await Promise.all(running.map((program) => program.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
  try {
    const simulator = await startProgram('simulator', { PORT: String(simulatorPort), HOST: '127.0.0.1' });
    running.push(simulator);
    const adminKey = `demo-${randomBytes(24).toString('hex')}`;
    const broker = await startProgram('broker', {
      PORT: String(brokerPort),
      HOST: '127.0.0.1',
      DATA_DIR: dataDir,
      ALLOWED_PROVIDER_HOSTS: simulator.url,
      BOOTSTRAP_ADMIN_KEY: adminKey,
      LOG_LEVEL: 'error',
    });
    running.push(broker);
    const seeded = await seed({ brokerUrl: broker.url, simulatorUrl: simulator.url, adminKey });
    explain({ ...seeded, brokerUrl: broker.url, simulatorUrl: simulator.url, adminKey });
    for (const program of running) void program.ended.then(stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
