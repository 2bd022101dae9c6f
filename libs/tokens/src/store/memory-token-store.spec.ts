import { MemoryTokenStore } from './memory-token-store';
import { token } from './stores.fixture';

test('a token in memory keeps no memory but its own', async () => {
  const store = new MemoryTokenStore();
  await store.enqueue([{ clientId: 'c', secretVersion: 1, dueInMs: 0 }]);
  const [claim] = (await store.claimDue(1)).claims;
  await store.commit(claim!, token(Date.now()));
  const { sealed } = (await store.read('c')).token!;
  expect(sealed.buffer.byteLength).toBe(sealed.length);
});
