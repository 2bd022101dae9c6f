import { type Bar, type WideRow, wideTable } from './figures';
import type { ScaleFigures } from './scale';

/** Megabytes that each further thousand clients take, seen from the next smaller number of clients. */
function growth(figures: ScaleFigures, smaller: ScaleFigures | undefined): number | undefined {
  return smaller && ((figures.brokerMb - smaller.brokerMb) / (figures.clients - smaller.clients)) * 1_000;
}

function scaleRows(all: ScaleFigures[]): WideRow[] {
  const row = (measure: string, unit: string, pick: (figures: ScaleFigures) => number, bar?: Bar): WideRow => ({
    measure,
    figures: all.map(pick),
    unit,
    ...(bar && { bar }),
  });
  return [
    row('life of a token', 's', (one) => one.ttlSeconds),
    row('measured for', 'lives', (one) => one.lifetimes),
    row('renewals', '/s', (one) => one.renewalsPerSecond),
    row('lateness p50', 's', (one) => one.latenessP50),
    row('lateness p99', 's', (one) => one.latenessP99, { atMost: 2 }),
    row('renewals that failed or were discarded', '', (one) => one.failed, { atMost: 0 }),
    row('tokens that ended before the next was there', '', (one) => one.ended, { atMost: 0 }),
    row('clients without a token afterwards', '', (one) => one.without, { atMost: 0 }),
    row('provider calls per renewal', '', (one) => Number(one.callsPerLifetime.toFixed(2)), { atMost: 1 }),
    row('Redis scripts per renewal', '', (one) => one.scripts, { atMost: 1.2 }),
    row('Redis commands inside scripts per renewal', '', (one) => one.commands, { atMost: 8 }),
    row('Redis CPU per renewal', 'µs', (one) => one.redisCpuUs, { atMost: 30 }),
    row('… of which running scripts', 'µs', (one) => one.redisScriptUs),
    row('Redis network per renewal, both ways', 'bytes', (one) => one.redisNetBytes),
    row('broker CPU per renewal', 'ms', (one) => one.brokerCpuMs, { atMost: 1 }),
    row('provider CPU per renewal (the simulator)', 'µs', (one) => one.simulatorCpuUs),
    row('PostgreSQL rows written per renewal', '', (one) => one.rowsWritten, { atMost: 0 }),
    row('… of hourly sums, whose number does not grow with that of renewals', '', (one) => one.sumsWritten),
    row('PostgreSQL transactions per renewal', '', (one) => one.transactions),
    row('PostgreSQL rows read per renewal', '', (one) => one.rowsRead),
    row('Redis memory per client, its keys', 'bytes', (one) => one.keyBytes, { atMost: 2_048 }),
    row('… all that Redis grew by', 'bytes', (one) => one.grownBytes),
    row('Redis, resident', 'MB', (one) => one.redisMb),
    row('broker, resident, with no client', 'MB', (one) => one.brokerIdleMb),
    row('broker, resident, at the end', 'MB', (one) => one.brokerMb),
    { measure: '… for each further 1,000 clients', figures: all.map((one, i) => growth(one, all[i - 1])), unit: 'MB' },
    row('broker CPU with no client, of one core', '%', (one) => one.idleBroker * 100),
    row('Redis CPU with no client, of one core', '%', (one) => one.idleRedis * 100),
    row('registering them took the bench', 's', (one) => one.registeredInSeconds),
  ];
}

export function scaleTable(all: ScaleFigures[]): string {
  const columns = all.map(({ clients }) => `${clients.toLocaleString('en-US')} clients`);
  return wideTable('measure', columns, scaleRows(all));
}
