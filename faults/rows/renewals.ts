import type { Scene } from '../scene';

export interface Attempt {
  outcome: string;
  duration_ms: number;
  reason?: string;
  message?: string;
}

/** An admin has a client renewed now, so that no row waits for the moment that is planned. Answers when it is over. */
export async function renewNow(scene: Scene, name: string): Promise<{ outcome: string; last_attempt?: Attempt }> {
  scene.inject.once(`renewal of ${name} asked for`, { clients: [name], extraCalls: 1 });
  return (await scene.mustAdmin('POST', `/v1/clients/${name}/renewals`)).body;
}

/** The latest first. */
export async function attemptsOf(scene: Scene, name: string): Promise<Attempt[]> {
  return (await scene.mustAdmin('GET', `/v1/clients/${name}/renewals`)).body.items;
}

/** Nobody who read what there was to read was refused. */
export function refusedReads(scene: Scene, since = 0): number {
  return scene.record.answers.filter(({ status, sentAt }) => status !== 200 && sentAt >= since).length;
}

/** The provider at another name, which is another origin: breakers are per origin. */
export const elsewhere = (scene: Scene): string => scene.fleet.simulator.url.replace('127.0.0.1', 'localhost');
