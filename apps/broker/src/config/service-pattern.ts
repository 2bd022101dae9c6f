/** A pattern that has to match all of a text, and says which part of it is the service. */
export function wholePattern(pattern: string, at: string, faults: string[]): RegExp | undefined {
  if (!pattern.includes('(?<service>')) {
    faults.push(`${at} must have a group (?<service>…), which is the name of the service`);
    return undefined;
  }
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch (error) {
    faults.push(`${at}: ${(error as Error).message}`);
    return undefined;
  }
}
