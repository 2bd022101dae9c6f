import { applyLoad, type Load, type LoadResult } from './load';
import { cpuSeconds, type Program } from './program';

export interface Sample extends LoadResult {
  requestsPerCpuSecond: number;
  /** Share of its core that the server had; well below 1: neighbours or the load generator set the pace. */
  busy: number;
}

/** What a server does under a load, and how much of its CPU it takes for it. */
export async function sample({ url, pid }: Program, load: Omit<Load, 'url'>): Promise<Sample> {
  const [cpu, at] = [cpuSeconds(pid), performance.now()];
  const result = await applyLoad({ ...load, url });
  const [used, elapsed] = [cpuSeconds(pid) - cpu, (performance.now() - at) / 1_000];
  return { ...result, requestsPerCpuSecond: (result.requestsPerSecond * elapsed) / used, busy: used / elapsed };
}
