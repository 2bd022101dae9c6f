/** One piece of work at a time for each key; who comes meanwhile gets its result. */
export function singleFlight<T>(flights: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = flights.get(key);
  if (running) return running;
  const flight = work().finally(() => flights.delete(key));
  flights.set(key, flight);
  return flight;
}
