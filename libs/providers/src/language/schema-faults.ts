import type { ErrorObject } from 'ajv/dist/2020';
import { type Fault, pointer } from './fault';
import { reasonFor } from './out-of-scope';

/** Words for people: the names of what is surplus or allowed are in ajv's `params`, not in its message. */
export function schemaFaults(errors: readonly ErrorObject[]): Fault[] {
  return (
    errors
      // What ajv says about the branches of a choice, and about the pattern of a name, is said better by the error above it.
      .filter((error) => !/\/(anyOf|oneOf)\/\d|\/not\//.test(error.schemaPath) && error.propertyName === undefined)
      .map(faultOf)
  );
}

function faultOf({ instancePath, keyword, params, message, schema, data }: ErrorObject): Fault {
  const at = (name: unknown) => `${instancePath}${pointer(String(name))}`;
  const here = (detail: string): Fault => ({ pointer: instancePath, detail });
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty']);
      return { pointer: at(name), detail: reasonFor(name) ?? `is not known here${likely(name, instancePath)}` };
    }
    case 'required':
      return { pointer: at(params['missingProperty']), detail: 'is missing' };
    case 'propertyNames':
      return { pointer: at(params['propertyName']), detail: 'is not a name that can be used here' };
    case 'enum':
      return here(`must be one of ${params['allowedValues'].join(', ')}`);
    case 'type':
      return here(`must be ${[params['type']].flat().join(' or ')}${data === null ? ', and is empty' : ''}`);
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
  const types = choices.flatMap((choice) => choice.type ?? []).join(' or ');
  if (names) return here(`must have ${keyword === 'oneOf' ? 'exactly ' : ''}one of ${names}`);
  if (types) return here(`must be ${types}${data === null ? ', and is empty' : ''}`);
  if (keyword === 'pattern') return here(`must match ${params['pattern']}`);
  return here(message ?? keyword);
}

/** What people who know the standards, or other tools, may have meant. */
const meant: Record<string, string> = {
  token_url: 'a step has a url',
  url: 'a step has a url',
  scopes: 'a scope is a field of the body of a step',
  grant_type: 'it is a field of the body of a step: body: { form: { grant_type: … } }',
  client_id: 'an input; it is declared under inputs',
  client_secret: 'an input; it is declared under inputs with secret: true',
  form: 'it belongs under body',
  json: 'it belongs under body',
  expires_in: 'it belongs under expiry: [{ in: … }]',
  ttl: 'it belongs under expiry: [{ fixed_s: … }]',
  tls: 'a client certificate is mtls: { cert, key }; an authority is ca',
  auth: 'HTTP Basic is basic: { user, pass }; other credentials are headers or fields of the body',
};

function likely(name: string, at: string): string {
  const hint = Object.hasOwn(meant, name) ? meant[name] : undefined;
  return hint && !at.startsWith('/inputs') ? `; ${hint}` : '';
}
