/** Jest calls this also when tests failed; Ctrl-C and worse are the business of `leash`. */
export default async function tearDown(): Promise<void> {
  await globalThis.tokenBrokerProvisioner?.stop();
}
