/** Series of a Prometheus scrape whose name and labels match, added up. */
export function total(scrape: string, series: RegExp): number {
  let sum = 0;
  for (const line of scrape.split('\n')) if (series.test(line)) sum += Number(line.slice(line.lastIndexOf(' ')));
  return sum;
}

/**
 * A quantile of what a histogram observed between two scrapes, spread evenly within a bucket as PromQL does.
 * @returns the lower edge of the last bucket when it is beyond all others
 */
export function quantileBetween(before: string, after: string, name: string, share: number): number {
  const first = buckets(before, name);
  const counts = buckets(after, name).map(([edge, count], i) => [edge, count - (first[i]?.[1] ?? 0)] as const);
  const wanted = share * (counts.at(-1)?.[1] ?? 0);
  let [lowerEdge, below] = [0, 0];
  for (const [edge, count] of counts) {
    if (count >= wanted && count > 0) {
      if (edge === Infinity) return lowerEdge;
      return lowerEdge + ((edge - lowerEdge) * (wanted - below)) / (count - below || 1);
    }
    [lowerEdge, below] = [edge, count];
  }
  return NaN;
}

/** Of one scrape, or of several put together: replicas count apart. */
function buckets(scrape: string, name: string): [edge: number, count: number][] {
  const sums = new Map<number, number>();
  for (const [, text, count] of scrape.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)`, 'gm'))) {
    const edge = text === '+Inf' ? Infinity : Number(text);
    sums.set(edge, (sums.get(edge) ?? 0) + Number(count));
  }
  return [...sums];
}
