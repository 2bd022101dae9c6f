import { CannotOpen } from '#vault';
import { Scene } from './scene.fixture';

describe('a replica that lacks a master key, and cannot open a client', () => {
  let scene: Scene;
  let lacking: boolean;
  const inputs = async () => {
    if (lacking) throw new CannotOpen('a sealed value could not be opened');
    return {};
  };
  beforeEach(() => {
    scene = new Scene();
    scene.known = { inputs };
    lacking = false;
  });
  /** One look by a replica that cannot open it. */
  const look = async (lacksKeys: boolean) => {
    const service = scene.newService({ lacksKeys: () => lacksKeys });
    lacking = true;
    const claimed = await service.renewDue();
    await service.drain();
    lacking = false;
    return claimed;
  };
  const untilDue = async () => {
    await scene.service.get('c');
    scene.clock.ms += 200_000;
  };

  it('leaves it to the others while its token is served: they find it due, and no failure is told', async () => {
    await untilDue();
    expect(await look(true)).toBe(1);
    expect(await scene.store.read('c')).toMatchObject({ failures: 0 });
    expect(scene.heard).not.toContain('failing');
    expect(await scene.store.attempts('c')).toHaveLength(1);
    await scene.service.renewDue();
    await scene.service.drain();
    expect((await scene.service.get('c')).accessToken).toBe('token-2');
  });

  it('tells that it fails once there is no token to serve: the key may have left all replicas', async () => {
    await untilDue();
    scene.clock.ms += 80_000;
    expect(await look(true)).toBe(1);
    expect((await scene.store.read('c')).lastFailure).toMatchObject({ code: 'cannot_open' });
    expect(scene.heard).toContain('failing');
  });

  it('tells so at once where no key is missing: then it is the client that is damaged', async () => {
    await untilDue();
    expect(await look(false)).toBe(1);
    expect((await scene.store.read('c')).lastFailure).toMatchObject({ code: 'cannot_open' });
  });
});
