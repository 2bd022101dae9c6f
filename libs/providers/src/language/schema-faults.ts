import type { ErrorObject } from 'ajv/dist/2020';
import { type Fault, pointer } from './fault';
import { reasonFor } from './out-of-scope';
import { inWords, likely, nameFault, patternFault } from './words';

/** Words for people: the names of what is surplus or allowed are in ajv's `params`, not in its message. */
export function schemaFaults(errors: readonly ErrorObject[]): Fault[] {
  return (
    errors
      // What ajv says about the branches of a choice, and about the pattern of a name, is said better by the error above it.
      .filter((error) => !/\/(anyOf|oneOf)\/\d|\/not\//.test(error.schemaPath) && error.propertyName === undefined)
      .map(faultOf)
  );
}

function faultOf({ instancePath, keyword, params, message, schema, parentSchema, data }: ErrorObject): Fault {
  const at = (name: unknown) => `${instancePath}${pointer(String(name))}`;
  const here = (detail: string): Fault => ({ pointer: instancePath, detail });
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty']);
      const known = Object.keys((parentSchema?.['properties'] ?? {}) as object);
      return {
        pointer: at(name),
        detail: reasonFor(name) ?? `is not known here; ${likely(name, instancePath, known)}`,
      };
    }
    case 'required':
      return { pointer: at(params['missingProperty']), detail: 'is missing' };
    case 'propertyNames':
      return { pointer: at(params['propertyName']), detail: nameFault(String(params['propertyName']), schema) };
    case 'enum':
      return here(`must be one of ${params['allowedValues'].join(', ')}`);
    case 'type':
      return here(inWords([params['type']].flat(), data));
    case 'not':
      return here('has two things of which only one can be there');
    case 'dependentRequired':
      return { pointer: at(params['property']), detail: `means something only beside ${params['missingProperty']}` };
    default:
      break;
  }
  const choices =
    keyword === 'oneOf' || keyword === 'anyOf' ? (schema as { required?: string[]; type?: string | string[] }[]) : [];
  const names = choices.flatMap((choice) => choice.required ?? []).join(', ');
  const types = choices.flatMap((choice) => choice.type ?? []);
  if (names) return here(`must have ${keyword === 'oneOf' ? 'exactly ' : ''}one of ${names}`);
  if (types.length > 0) return here(inWords(types, data));
  if (keyword === 'pattern') return here(patternFault(String(params['pattern'])));
  return here(message ?? keyword);
}
