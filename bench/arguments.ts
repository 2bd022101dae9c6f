/** A number from the command line. */
export function positive(name: string, text: string, usage: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0\n${usage}`);
  return value;
}

/** For the broker, when a V8 profile of it is to be left in a folder. */
export function profiling(folder: string | undefined): string[] {
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}
