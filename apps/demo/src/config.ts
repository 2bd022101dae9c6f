/** Where the two programs of the demo listen, always on loopback. */
export interface Ports {
  brokerPort: number;
  simulatorPort: number;
}

/** @throws Error where the demo must not run, or a port makes no sense */
export function readPorts({ NODE_ENV, PORT = '8080', SIMULATOR_PORT = '9000' } = process.env): Ports {
  if (NODE_ENV === 'production') {
    throw new Error('The demo makes keys that it prints: it does not run with NODE_ENV=production.');
  }
  const [brokerPort, simulatorPort] = [PORT, SIMULATOR_PORT].map((text) =>
    /^\d{1,5}$/.test(text) ? Number(text) : NaN,
  );
  if (!(brokerPort! <= 65_535 && simulatorPort! <= 65_535))
    throw new Error('PORT and SIMULATOR_PORT must be port numbers.');
  return { brokerPort: brokerPort!, simulatorPort: simulatorPort! };
}
