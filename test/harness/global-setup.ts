import { buildIfStale } from './build';
import { provisionerVariable, runPidVariable } from './provisioned';
import { startProvisioner } from './provisioner';
import type { Provisioner } from './provisioner';

declare global {
  var tokenBrokerProvisioner: Provisioner | undefined;
}

export default async function setUp(): Promise<void> {
  await buildIfStale('--client');
  const provisioner = await startProvisioner();
  globalThis.tokenBrokerProvisioner = provisioner;
  process.env[provisionerVariable] = provisioner.address;
  process.env[runPidVariable] = String(process.pid);
}
