import type { Row } from '../row';
import { clientRows } from './clients';
import { herdRows } from './herd';
import { processRows } from './processes';
import { providerRows } from './provider';

/** In the order of the matrix. */
export const rows: Row[] = [...processRows, ...providerRows, ...clientRows, ...herdRows].toSorted(
  (a, b) => a.number - b.number,
);
