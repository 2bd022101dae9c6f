import type { Fault } from '../language/fault';
import { InvalidDefinition, readDefinition } from '../language/read-definition';

/** A sound definition, for tests to make mistakes in. */
export const source = `id: acme
inputs:
  base: { format: url }
  user: {}
  pass: { secret: true }
steps:
  - id: s
    method: POST
    url: '{{inputs.base}}/token'
    body:
      form:
        user: '{{inputs.user}}'
        pass: '{{inputs.pass}}'
token:
  value: '{{steps.s.body.token}}'
  expiry: [{ in: '{{steps.s.body.expires_in}}' }, { fixed_s: 60 }]
present:
  headers: { Authorization: 'Bearer {{token}}' }
`;

/** The faults, or else the warnings, of the source with one text replaced. */
export function taught(...[from, to]: [string, string] | []): Fault[] {
  if (from !== undefined && !source.includes(from)) throw new Error(`not in the source: ${from}`);
  try {
    return [...readDefinition(from === undefined ? source : source.replace(from, to!)).warnings];
  } catch (error) {
    if (!(error instanceof InvalidDefinition)) throw error;
    return [...error.faults];
  }
}
