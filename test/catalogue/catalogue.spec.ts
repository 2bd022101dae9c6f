import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, parseAllDocuments, stringify } from 'yaml';
import { type Fault, InvalidDefinition, readDefinition } from '#providers';
import { alterations } from './alterations';
import { Conversation, now } from './conversation';
import { type Definition, assumedLifeSeconds, express, inputName } from './express';
import { inexpressible } from './express-parts';
import { type Entry, entries } from './facts';
import { SampleClient } from './sample-client';
import { StubIssuer } from './stub-issuer';

const talk = Conversation.forThisFile();
const expressed = entries.flatMap((entry): [string, Entry, Definition][] => {
  const definition = express(entry);
  return 'reason' in definition ? [] : [[entry.name, entry, definition]];
});

/** What a client of the definition has: values for its inputs. */
function inputsOf({ inputs }: Definition, client: SampleClient): Record<string, string> {
  const given = Object.entries(inputs).filter(([name, { optional, default: other }]) => {
    return client.has(name) || !(optional || other !== undefined);
  });
  return Object.fromEntries(
    given.map(([name, { format }]) => [name, `${format === 'url' ? 'https://' : ''}${client.value(name)}`]),
  );
}

async function tokenOf(entry: Entry, definition: Definition, sparse: boolean) {
  const client = new SampleClient(entry, sparse);
  const issuer = new StubIssuer(entry, client, now, sparse);
  const inputs = inputsOf(definition, client);
  const token = await talk.request(definition, issuer, inputs).catch((error: Error) => {
    throw new Error(`${error.message}; ${issuer.complaints.join('; ')}`, { cause: error });
  });
  return { token, issuer, inputs, client };
}

describe('coverage', () => {
  const [covered, all] = [expressed.length, entries.length];

  it('is 162 of the 165 issuers in the catalogue, and the README says so', () => {
    expect([covered, all]).toEqual([162, 165]);
    const readme = readFileSync(join(__dirname, '../../README.md'), 'utf8');
    const others = readdirSync(join(__dirname, 'beyond')).filter((name) => name.endsWith('.yaml')).length;
    const text = readme.replace(/\s+/g, ' ');
    expect(text).toContain(`${covered} of the ${all} issuers in a public catalogue`);
    expect(text).toContain(`and ${others} others ([test/catalogue]`);
  });

  it('lists every other entry, with the reason', () => {
    const names = new Set(expressed.map(([name]) => name));
    const others = entries.filter(({ name }) => !names.has(name)).map(({ name }) => name);
    expect(Object.keys(inexpressible).sort()).toEqual(others.sort());
    for (const reason of Object.values(inexpressible)) expect(reason).toMatch(/^.{20,}$/);
  });
});

describe('an issuer of the catalogue', () => {
  it.each(expressed)('%s is expressed without a fault, and warned about only for what the facts ask for', (...row) => {
    const [, entry, definition] = row;
    const { warnings } = readDefinition(stringify(definition));
    const secretInUrl = /query/.test(entry.token_request.client_auth ?? '') ? '|^/steps/0/query/' : '';
    // The facts put the id of a secret, or a part of it, into what is signed.
    const signed = entry.token_request.local_mint ? '|^/token/value$' : '';
    const companions = new RegExp(`^/present/headers/${secretInUrl}${signed}`);
    expect(warnings.filter(({ pointer }) => !companions.test(pointer))).toEqual([]);
  });

  it.each(expressed)('%s is asked as it wants to be, and its token is presented as it wants', async (...row) => {
    const [, entry, definition] = row;
    const { token, issuer, inputs, client } = await tokenOf(entry, definition, false);
    const accessToken = token.accessToken.reveal();
    if (entry.token_request.local_mint) expect(issuer.mintComplaints(accessToken)).toEqual([]);
    else expect([accessToken, issuer.isDone]).toEqual([issuer.token, true]);
    expect(Math.abs(token.lifeSeconds - (issuer.life ?? assumedLifeSeconds))).toBeLessThanOrEqual(1);
    const headers = Object.entries(token.headers).map(([name, value]) => [name.toLowerCase(), value]);
    expect(Object.fromEntries(headers)).toEqual(issuer.presented(accessToken));
    const told = Object.entries(issuer.told).map(([name, value]) => [inputName(name), value]);
    expect(token.outputs ?? {}).toEqual(Object.fromEntries(told));
    expect(token.query).toBeUndefined();

    const urls = issuer.urls.map((url) => decodeURIComponent(url)).join(' ');
    for (const [name, { secret }] of Object.entries(definition.inputs)) {
      if (!secret || inUrlByTheFacts(entry, name)) continue;
      expect(urls).not.toContain(inputs[name]);
      expect(urls).not.toContain(Buffer.from(client.value(name)).toString('base64'));
    }
  });

  it.each(expressed)('%s may leave out what it may, and a client what may be missing', async (...row) => {
    const [, entry, definition] = row;
    const { token, issuer } = await tokenOf(entry, definition, true);
    if (!entry.token_request.local_mint) expect(token.accessToken.reveal()).toBe(issuer.token);
    expect(Math.abs(token.lifeSeconds - (issuer.life ?? assumedLifeSeconds))).toBeLessThanOrEqual(1);
  });
});

/** Four vendors know no other way. */
function inUrlByTheFacts({ token_request: { url } }: Entry, input: string): boolean {
  const refs = [...(url ?? '').matchAll(/\$\{\w+\.(\w+)\}/g)].map(([, name]) => name!.toLowerCase());
  return refs.includes(input.replaceAll('_', ''));
}

describe('the stub', () => {
  it.each(expressed)('for %s notices every small mistake of a definition', async (...row) => {
    const [, entry, definition] = row;
    const client = new SampleClient(entry);
    for (const { what, definition: altered } of alterations(definition)) {
      const issuer = new StubIssuer(entry, client, now);
      const outcome = await talk.request(altered, issuer, inputsOf(altered, client)).then(
        ({ accessToken }) => issuer.mintComplaints(accessToken.reveal()),
        () => issuer.complaints,
      );
      expect([what, outcome]).not.toEqual([what, []]);
    }
  });
});

describe('an entry that cannot be expressed', () => {
  const attempts = parseAllDocuments(readFileSync(join(__dirname, 'attempts.yaml'), 'utf8'));
  const rows = attempts.map((attempt): [string, Document] => [String(attempt.get('id')), attempt]);

  it.each(rows)('%s is refused with the reason', (id, attempt) => {
    const [place, detail] = refusals[id]!;
    const faults = faultsOf(attempt.toString());
    expect(faults.map(({ pointer }) => pointer)).toContain(place);
    for (const fault of faults) expect(fault.detail).toMatch(detail);
  });

  it('has an attempt each, which would be fine without what cannot be done', () => {
    expect(rows.map(([id]) => id).sort()).toEqual(Object.keys(inexpressible).sort());
    for (const [id, attempt] of rows) {
      const clean = attempt.clone() as Document;
      clean.deleteIn(refusals[id]![0].slice(1).split('/'));
      for (const name of ['x-av-req-id', 'x-av-date']) clean.deleteIn(['present', 'headers', name]);
      expect([id, faultsOf(clean.toString())]).toEqual([id, []]);
    }
  });
});

const refusals: Readonly<Record<string, [place: string, detail: RegExp]>> = {
  avanan: ['/present/headers/x-av-sig', /per API request. Leave it to the program|signature over each API request/],
  'github-app-oauth': ['/steps/0/body/form/grant_type', /Interactive consent/],
  'netsuite-tba': ['/present/headers/Authorization', /signature over each API request/],
};

function faultsOf(text: string): readonly Fault[] {
  try {
    readDefinition(text);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidDefinition)) throw error;
    return error.faults;
  }
}
