/** One piece of work at a time for each key; who comes meanwhile gets its result. */
export function singleFlight<T>(flights: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = flights.get(key);
  if (running) return running;
  const flight = work();
  flights.set(key, flight);
  const end = (): void => void flights.delete(key);
  flight.then(end, end); // `finally` takes four promises to do it
  return flight;
}
