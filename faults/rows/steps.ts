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

/** Waits until each of these brokers has served the client's token. */
export async function servedBy(scene: Scene, name: string, brokers: number[]): Promise<void> {
  for (const broker of brokers) {
    await scene.until(
      `broker ${broker} serves ${name}`,
      () => scene.reader.read(name, broker),
      ({ status }) => status === 200,
    );
  }
}

/** When the first token was had that was asked for after that moment; waits for it, for each of them. */
export async function renewedAfter(scene: Scene, names: string[], since: number): Promise<number[]> {
  const good = async (name: string): Promise<number | undefined> =>
    (await scene.calls(name)).find(({ at, outcome }) => at > since && outcome === 'issued')?.ended_at ?? undefined;
  const ended = await scene.until(
    `${names.length} clients are renewed`,
    () => Promise.all(names.map(good)),
    (times) => times.every((time) => time !== undefined),
    75_000,
  );
  return ended.map((time) => time!);
}
