import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { AllowedOrigins } from './address';
import { AddressRefused } from './connector';
import { Network } from './network';

/** A resolver under the test's control: each call answers with the next list. */
function resolver(...answers: string[][]): { lookup: LookupFunction; calls: () => number } {
  let calls = 0;
  const lookup: LookupFunction = (_hostname, options, callback) => {
    const addresses = answers[Math.min(calls++, answers.length - 1)]!.map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    if (options.all) callback(null, addresses);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };
  return { lookup, calls: () => calls };
}

async function exchange(url: string, lookup?: LookupFunction, allowed: string[] = []): Promise<unknown> {
  const network = new Network({
    allowed: new AllowedOrigins(allowed),
    connectMs: 500,
    totalMs: 1000,
    ...(lookup && { lookup }),
  });
  const request = { method: 'GET' as const, url: new URL(url), headers: {} };
  try {
    return await network.exchange(request, AbortSignal.timeout(1000)).catch((error: unknown) => error);
  } finally {
    await network.close();
  }
}

describe('a connection', () => {
  it.each([
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://10.0.0.1/',
    'https://[::ffff:127.0.0.1]/',
    'https://169.254.169.254/',
    'http://1.1.1.1/',
  ])('to the literal %s is refused', async (url) => expect(await exchange(url)).toBeInstanceOf(AddressRefused));

  it('to a name that the system resolves to loopback is refused', async () => {
    expect(await exchange('https://localhost/')).toBeInstanceOf(AddressRefused);
  });

  it.each([
    ['private', ['10.0.0.1']],
    ['link-local', ['169.254.169.254']],
    ['shared (CGNAT)', ['100.64.1.1']],
    ['unique local', ['fd00::1']],
    ['v4-mapped', ['::ffff:192.168.0.1']],
    ['NAT64', ['64:ff9b::7f00:1']],
    ['6to4', ['2002:7f00:1::']],
    ['unspecified', ['0.0.0.0']],
    ['zoned', ['fe80::1%lo']],
    ['private behind a public one', ['1.1.1.1', '127.0.0.1']],
    ['no', ['not an address']],
  ])('to a name with a %s address is refused', async (_, addresses) => {
    expect(await exchange('https://issuer.example/', resolver(addresses).lookup)).toBeInstanceOf(AddressRefused);
  });

  it('is made to the address that was checked: the name is resolved once', async () => {
    // 2d00::/8 is unassigned: nothing answers there. What counts is that the second answer is never asked for.
    const rebinding = resolver(['2d00::1'], ['127.0.0.1']);
    const failure = await exchange('https://issuer.example/', rebinding.lookup);
    expect(rebinding.calls()).toBe(1);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(AddressRefused);
  });

  it('to a private address is made where the operator allows that very origin', async () => {
    const server = createServer((_, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { lookup } = resolver(['127.0.0.1']);
    expect(await exchange(`http://issuer.example:${port}/`, lookup, [`http://issuer.example:${port}`])).toMatchObject({
      status: 200,
    });
    expect(await exchange(`http://issuer.example:${port}/`, lookup, [`http://127.0.0.1:${port}`])).toBeInstanceOf(
      AddressRefused,
    );
    await new Promise((resolve) => server.close(resolve));
  });
});
