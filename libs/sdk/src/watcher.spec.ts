import { FakeBroker } from './testing/fake-broker';

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

let fake: FakeBroker;
let broker: ReturnType<FakeBroker['connect']>;
const waits = () => fake.requests.filter(({ path }) => path.includes('wait=')).length;

beforeEach(() => {
  fake = new FakeBroker();
  broker = fake.connect({ watch: true });
});
afterEach(() => broker.close());

describe('a client that is watched', () => {
  it('has its next token in memory as soon as the broker has it', async () => {
    const eu = fake.client('eu');
    await broker.getToken('eu');
    await settled();
    for (const next of ['token-2-of-eu', 'token-3-of-eu']) {
      eu.renew();
      await settled();
      expect((await broker.getToken('eu')).accessToken).toBe(next);
    }
    expect(fake.requests.filter(({ path }) => !path.includes('wait='))).toHaveLength(1);
  });

  it('is refused as soon as the broker says so', async () => {
    const eu = fake.client('eu');
    await broker.getToken('eu');
    await settled();
    const now = fake.clock.now();
    eu.disable();
    await settled();
    await expect(broker.getToken('eu')).rejects.toMatchObject({ code: 'client_disabled' });
    expect(fake.clock.now()).toBe(now);
  });

  it('is watched by one request at a time, and by none once nobody has wanted its token for five minutes', async () => {
    fake.client('eu', { lifeSeconds: 100_000 });
    await Promise.all([broker.getToken('eu'), broker.getToken('eu')]);
    await settled();
    for (let waited = 1; waited <= 10; waited++) {
      expect(waits()).toBe(waited - 1);
      fake.clock.advance(30);
      await settled();
    }
    fake.clock.advance(30);
    await settled();
    expect(waits()).toBe(10);
  });

  it('is watched no more after close()', async () => {
    const eu = fake.client('eu');
    await broker.getToken('eu');
    await settled();
    broker.close();
    eu.renew();
    await settled();
    expect(fake.requests).toHaveLength(1);
  });

  it('is asked about at the usual time where the broker cannot wait', async () => {
    fake.client('eu');
    const impatient = fake.connect({
      watch: true,
      fetch: (input, init) => fake.fetch(String(input).replace(/\?wait=\d+/, ''), init),
    });
    await impatient.getToken('eu');
    await settled();
    impatient.close();
    // Its sleeps are the fake clock's, which are over at once: so many questions took all of the time.
    expect(fake.requests.length).toBeLessThan(20);
  });
});
