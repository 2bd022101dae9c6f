import { readable } from './figures';
import { renewedAtShare, type ScaleFigures } from './scale';

const clients = 10_000_000;
const lifeSeconds = 300;
/** Of a core, so that a failed neighbour's share fits in. */
const load = 0.5;
/** Redis answers others meanwhile, and one thread does all. */
const redisLoad = 0.4;
const gigabyte = 2 ** 30;

/** What ten million clients would need, reckoned from the figures of the most clients that were measured. */
export function tenMillionText(measured: ScaleFigures): string {
  const perSecond = clients / (renewedAtShare * lifeSeconds);
  const brokerCores = (perSecond * measured.brokerCpuMs) / 1_000;
  const replicas = Math.ceil(brokerCores / load);
  const redisCores = (perSecond * measured.redisCpuUs) / 1_000_000;
  const masters = Math.ceil(redisCores / redisLoad);
  const memory = (clients * measured.grownBytes) / gigabyte;
  const megabits = (perSecond * measured.redisNetBytes * 8) / 1_000_000;
  const queries = perSecond * measured.transactions;
  const n = (value: number): string => readable(Number(value.toPrecision(3)));
  return [
    `Reckoned from the column of ${measured.clients.toLocaleString('en-US')} clients; nothing of this was run.`,
    '',
    `Ten million clients of ${lifeSeconds} s, renewed at ${renewedAtShare * 100} % of life, are ${n(perSecond)} renewals a second.`,
    '',
    `- **Broker.** ${readable(measured.brokerCpuMs)} ms of CPU each: ${n(brokerCores)} cores at work, so some ${replicas} processes of one core ` +
      `at ${load * 100} % load, and a tenth more for one zone that fails. Each has ${n(perSecond / replicas)} renewals a second, far from ` +
      `the limit of 200 in flight as long as the provider answers within ${n((200 * replicas * 1_000) / perSecond)} ms; beyond that, more processes.`,
    `- **Redis.** ${readable(measured.redisCpuUs)} µs of CPU each: ${n(redisCores)} cores, and Redis has one thread: ${masters} masters at ` +
      `${redisLoad * 100} % load. One shard is one slot of a Redis Cluster, so there must be several times as many shards as masters: ` +
      `${2 ** Math.ceil(Math.log2(masters * 8))}, in place of 16, ` +
      `at ${n(clients / 2 ** Math.ceil(Math.log2(masters * 8)))} clients each. Asking all shards four times a second costs as much with idle as with busy ones, and then counts: ` +
      `processes should share the shards out among them.`,
    `- **Memory.** ${n(measured.grownBytes)} bytes for each client: ${n(memory)} GB in all, ${n(memory / masters)} GB on each master, and the same again on its replica.`,
    `- **Network** between brokers and Redis: ${n(measured.redisNetBytes)} bytes each, ${n(megabits)} Mbit/s in all, ${n(megabits / masters)} at each master.`,
    `- **PostgreSQL.** ${readable(measured.transactions)} transactions each, since what is asked at once is asked together: ${n(queries)} a second, and ${readable(measured.rowsWritten)} rows written. ` +
      `A process keeps 100,000 clients in memory; with ten million spread over ${replicas} processes by chance, hardly any client is in the ` +
      `memory of the one that claims it, and each renewal reads its row: up to ${n(perSecond)} reads a second by primary key, unless each ` +
      `process keeps to its own shards, and ${n(clients / replicas)} clients then fit into its memory.`,
    `- **Provider.** ${n(perSecond)} token requests a second, if all are one provider's; no public one allows that. With a quota of 1,000 a ` +
      `second the shortest life that it can keep fresh is ${n(clients / 1_000 / renewedAtShare)} s. A longer life is the one lever: with 3,600 s all figures ` +
      `above but memory fall to a twelfth.`,
  ].join('\n');
}
