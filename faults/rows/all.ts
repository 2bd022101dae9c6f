import type { Row } from '../row';
import { answerRows } from './answers';
import { clientRows } from './clients';
import { herdRows } from './herd';
import { clockRows } from './clocks';
import { failoverRows } from './failover';
import { keyRows } from './keys';
import { postgresRows } from './postgres';
import { processRows } from './processes';
import { awayRows } from './redis-away';
import { lostRows } from './redis-lost';
import { providerRows } from './provider';

/** In the order of the matrix. */
export const rows: Row[] = [
  ...processRows,
  ...lostRows,
  ...awayRows,
  ...failoverRows,
  ...clockRows,
  ...postgresRows,
  ...providerRows,
  ...answerRows,
  ...clientRows,
  ...keyRows,
  ...herdRows,
].toSorted((a, b) => a.number - b.number);
