import type { Definition, Step } from './express';

/** A small mistake in a definition, and the definition with it. */
export interface Alteration {
  what: string;
  definition: Definition;
}

/** Every mistake of these kinds that can be made in a definition. Each of them has to be noticed by the issuer. */
export function alterations(original: Definition): Alteration[] {
  const found: Alteration[] = [];
  const alter = (what: string, change: (definition: Definition) => void) => {
    const definition = structuredClone(original);
    change(definition);
    found.push({ what, definition });
  };
  for (const place of ['header', 'claims'] as const) {
    for (const name of Object.keys((original.assertions?.['client']?.[place] as object | undefined) ?? {})) {
      if (name === 'typ') continue;
      alter(`${place} of the assertion without ${name}`, ({ assertions }) => {
        delete (assertions!['client']![place] as Record<string, unknown>)[name];
      });
    }
  }
  if (original.assertions) {
    alter('an assertion that lives longer', ({ assertions }) => {
      assertions!['client']!['ttl_s'] = Number(assertions!['client']!['ttl_s']) + 60;
    });
  }
  for (const [index, step] of original.steps.entries()) {
    for (const { what, change } of stepChanges(step)) {
      alter(`${step.id} ${what}`, (definition) => change(definition.steps[index]!));
    }
  }
  return found;
}

function stepChanges(step: Step): { what: string; change: (step: Step) => void }[] {
  const fieldsOf = ({ body }: Step): Record<string, unknown> =>
    body === undefined ? {} : 'form' in body ? body.form : body.json;
  const fields = fieldsOf(step);
  const changes = [
    { what: 'with PUT', change: (one: Step) => (one.method = 'PUT') },
    { what: 'at another path', change: (one: Step) => (one.url += '/x') },
    ...Object.entries(fields).flatMap(([name, value]) => [
      {
        what: `with ${name} by another name`,
        change: (one: Step) => {
          delete fieldsOf(one)[name];
          fieldsOf(one)[`${name}_`] = value;
        },
      },
      {
        what: `with another ${name}`,
        change: (one: Step) => (fieldsOf(one)[name] = typeof value === 'string' ? `${value}x` : !value),
      },
    ]),
    ...Object.keys(step.query ?? {}).map((name) => ({
      what: `without ${name} in the query`,
      change: (one: Step) => void delete one.query![name],
    })),
    ...Object.keys(step.headers ?? {})
      .filter((name) => name !== 'accept')
      .map((name) => ({ what: `without the header ${name}`, change: (one: Step) => void delete one.headers![name] })),
  ];
  if (Object.keys(fields).length > 0) {
    changes.push({
      what: 'with another type of body',
      change: (one) => (one.body = 'form' in one.body! ? { json: one.body.form } : { form: one.body!.json }),
    });
  }
  if (step.basic) {
    const { user, pass } = step.basic;
    changes.push({ what: 'with Basic the wrong way round', change: (one) => (one.basic = { user: pass, pass: user }) });
    changes.push({ what: 'without Basic', change: (one) => void delete one.basic });
  } else if (!step.headers?.['authorization']) {
    changes.push({ what: 'with Basic too', change: (one) => (one.basic = { user: 'a', pass: 'b' }) });
  }
  return changes;
}
