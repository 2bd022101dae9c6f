import { checkInputs, tokenHosts } from '#providers';
import type { DefinitionVersion, Inputs } from '#registry';
import { type FieldFault, Problem } from '../problem';

type Definition = DefinitionVersion['definition'];

/** @throws Problem `invalid_inputs` with every fault */
export function checkedInputs(
  definition: Definition,
  given: Readonly<Record<string, unknown>>,
  allowedOrigins: readonly string[],
): Omit<Inputs, 'definition'> {
  const { faults, plain, secret } = checkInputs(definition, given, { allowedOrigins });
  if (faults.length === 0) return { plain, secret };
  throw new Problem('invalid_inputs', `The inputs have ${faults.length} fault(s).`, { errors: faults });
}

/** The hosts that secrets would be sent to; empty where the inputs make no URL, which the trial will say. */
export function hostsOf(definition: Definition, plain: Readonly<Record<string, string>>): string {
  try {
    return tokenHosts(definition, plain);
  } catch {
    return '';
  }
}

/** Stored secrets that the definition takes for no secrets. Asked before inputs are checked: a fault may quote one that is none. */
export function exposed({ inputs }: Definition, kept: readonly string[]): FieldFault[] {
  const plain = kept.filter((name) => Object.hasOwn(inputs, name) && !inputs[name]!.secret);
  return plain.map((name) => mustBeGiven(name, 'since it would not be a secret any more'));
}

/**
 * Why stored secrets may not be taken over. A stored secret comes back out of no call, also not for an admin who changes
 * the definition: it goes to no other host, and it is not put into what services get, unless it was there before.
 *
 * @param kept names of the stored secrets that were not given again
 */
export function reuseFaults(
  before: { definition: Definition; plain: Readonly<Record<string, string>> },
  after: { definition: Definition; plain: Readonly<Record<string, string>> },
  kept: readonly string[],
): FieldFault[] {
  const moved = tokenHosts(after.definition, after.plain) !== tokenHosts(before.definition, before.plain);
  const [shown, shownBefore] = [shownToServices(after.definition), shownToServices(before.definition)];
  return kept.flatMap((name) => {
    const reason = moved
      ? 'since the host changes'
      : shown !== shownBefore && new RegExp(`\\b${name}\\b`).test(shown)
        ? 'since it would be part of what services get'
        : undefined;
    return reason === undefined ? [] : [mustBeGiven(name, reason)];
  });
}

function mustBeGiven(name: string, reason: string): FieldFault {
  return { pointer: `/inputs/${name}`, detail: `must be given again, ${reason}` };
}

/** Every template whose text can become part of what a service gets. */
function shownToServices({ present, token, values, assertions }: Definition): string {
  let shown = JSON.stringify([present, token]);
  // Named by what is shown, all of them: which one of them names which other would have to be read from templates.
  if (/\b(values|assertions)\b/.test(shown)) shown += JSON.stringify([values, assertions]);
  return shown;
}
