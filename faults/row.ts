import type { RigOptions, Scene } from './scene';

/** A row of the fault matrix. Every invariant is checked on its record afterwards; `run` adds what the row itself expects. */
export interface Row {
  number: number;
  /** A letter: the same fault in another place. Not one of the matrix, and counted apart. */
  also?: string;
  inject: string;
  expected: string;
  rig?: RigOptions;
  /** Over within 8 s or so: part of what CI runs. */
  quick?: true;
  /** @returns what was seen, in a few words; throws when it is not as expected */
  run(scene: Scene): Promise<string>;
}

export const nameOf = ({ number, also = '' }: Row): string => `${number}${also}`;

export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
