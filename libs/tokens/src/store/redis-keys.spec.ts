import { clientKeys, shardOf } from './redis-keys';

test('the keys of a client have the names under which other versions of the broker look for them', () => {
  const { client, token, failed, due, trouble, generation, known } = clientKeys('c');
  const shard = `tb1:{${shardOf('c')}}:`;
  expect([client, token, failed].map((key) => key.replace(shard, ''))).toEqual(['c:c', 't:c', 'f:c']);
  const ofShard = ['due', 'trouble', 'generation', 'known'].map((name) => shard + name);
  expect([due, trouble, generation, known]).toEqual(ofShard);
});
