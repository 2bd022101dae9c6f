import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/**
 * Loaded ahead of a broker: when it is told to, it collects all garbage there is and gives back what is free, so that what
 * is left is what it holds. Without `last-resort`, pages that are half empty would stay.
 */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as Collect;
process.on('SIGUSR2', () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' }));
