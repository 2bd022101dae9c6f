import type { Scene } from '../scene';

/** Registers a client whose first request for a token takes so long, and returns when the provider has got it. */
export async function underWay(
  scene: Scene,
  name: string,
  { latencyMs, lifeSeconds }: { latencyMs: number; lifeSeconds: number },
): Promise<void> {
  await scene.addClient(name, {
    ...{ verify: false, lifeSeconds },
    modes: { latency_ms: { value: latencyMs, times: 1 } },
  });
  await scene.until(
    'the provider is asked',
    () => scene.calls(name),
    ({ length }) => length > 0,
  );
}

/** When the provider was asked first after that moment; waits until it is. */
export async function callAfter(scene: Scene, name: string, since: number): Promise<number> {
  const calls = await scene.until(
    `the provider is asked for ${name}`,
    () => scene.calls(name),
    (seen) => seen.some(({ at }) => at > since),
  );
  return calls.find(({ at }) => at > since)!.at;
}
