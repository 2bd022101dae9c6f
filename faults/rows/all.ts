import type { Row } from '../row';
import { answerRows } from './answers';
import { clientRows } from './clients';
import { herdRows } from './herd';
import { keyRows } from './keys';
import { postgresRows } from './postgres';
import { processRows } from './processes';
import { providerRows } from './provider';

/** In the order of the matrix. */
export const rows: Row[] = [
  ...processRows,
  ...postgresRows,
  ...providerRows,
  ...answerRows,
  ...clientRows,
  ...keyRows,
  ...herdRows,
].toSorted((a, b) => a.number - b.number);
