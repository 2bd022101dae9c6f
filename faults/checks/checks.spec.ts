import { type Answer, emptyRecord, type Fault, type Record } from '../record';
import { violationsOf } from './all';

const start = 1_800_000_000_000;
const renewals = [0, 4_000, 8_000, 12_000, 16_000];

const call = (at: number, outcome = 'issued') => ({ at: start + at, outcome, ended_at: start + at + 10 });

/** Two brokers, a client of 6 s, and a reader at each broker for 20 s, in which nothing went wrong. */
function healthy(): Record {
  const issued = renewals.map((at) => ({ issued_at: start + at + 10, expires_at: start + at + 6_010 }));
  const client = {
    ...{ name: 'eu', id: 'id-of-eu', key: 'key-of-eu', lifeSeconds: 6, untruthful: false, registeredAt: start },
    ...{ inactive: [], rotations: [], issued },
    calls: renewals.map((at) => call(at)),
  };
  const tokens = issued.map(({ issued_at, expires_at }, index) => ({
    ...{ value: `token-${index}`, client: 'eu', issuedAt: issued_at, expiresAt: expires_at },
    ...{ supersededAt: null, revokedAt: null, rotations: 0 },
  }));
  const answers: Answer[] = [];
  for (let at = 100; at < 20_000; at += 200) {
    const token = renewals.findLastIndex((renewed) => renewed + 50 <= at);
    const expiresInSeconds = Math.floor((renewals[token]! + 5_400 - at) / 1_000);
    for (const broker of [0, 1]) {
      const [sentAt, receivedAt] = [start + at, start + at + 5];
      answers.push({
        ...{ sentAt, receivedAt, broker, client: 'eu', status: 200, token, generation: token + 1, expiresInSeconds },
      });
    }
  }
  const brokers = [1, 2].map((pid) => ({ pid, startedAt: start - 100_000, output: '' }));
  return { ...emptyRecord(), startedAt: start, endedAt: start + 20_000, brokers, clients: [client], tokens, answers };
}

const fault = (more: Partial<Fault>): Fault => ({
  ...{ what: 'a fault', from: start, to: start + 20_000, clients: 'all', brokers: [], extraCalls: 0, delaysMs: 0 },
  ...{ breaks: [], hindersQueue: false },
  ...more,
});

const refuseAt = (record: Record, index: number): void => {
  const { sentAt, receivedAt, broker, client } = record.answers[index]!;
  record.answers[index] = {
    ...{ sentAt, receivedAt, broker, client, status: 503, code: 'token_unavailable', reason: 'renewing' },
  };
};

test('a record in which nothing went wrong passes', () => {
  expect(violationsOf(healthy())).toEqual([]);
});

const crowd = (record: Record, members: number): void => {
  const [first] = record.clients;
  const calls = [call(0), call(1_500), call(5_300), call(9_200), call(13_000), call(16_900)];
  for (let i = 1; i < members; i++) record.clients.push({ ...first!, name: `c${i}`, id: `c${i}`, key: `c${i}`, calls });
};

test('an early renewal after the first token is for crowds alone', () => {
  const [many, few] = [healthy(), healthy()];
  crowd(many, 10);
  expect(violationsOf(many)).toEqual([]);
  crowd(few, 9);
  expect(new Set(violationsOf(few).map(({ invariant }) => invariant))).toEqual(new Set(['I2']));
});

const doctored: [string, string[], (record: Record) => void][] = [
  ['a token received after its end', ['I1'], ({ tokens }) => (tokens[2]!.expiresAt = start + 11_000)],
  [
    'a token asked for past its serve limit, though it was still alive',
    ['I1'],
    ({ tokens, answers }) => {
      const [index, last] = [2, Math.max(...answers.filter(({ token }) => token === 2).map(({ sentAt }) => sentAt))];
      tokens[index]!.expiresAt = last + 300; // a tenth of its life is the margin: some 400 ms
    },
  ],
  ['a second call where one was due', ['I2'], ({ clients }) => clients[0]!.calls.splice(2, 0, call(4_020))],
  [
    'two calls where a fault explains one',
    ['I3'],
    ({ clients, faults }) => {
      faults.push(fault({ extraCalls: 1 }));
      clients[0]!.calls.splice(2, 0, call(4_020), call(4_030));
    },
  ],
  [
    'a call where a fault of another client explains one',
    ['I2'],
    ({ clients, faults }) => {
      faults.push(fault({ extraCalls: 1, clients: ['us'] }));
      clients[0]!.calls.splice(2, 0, call(4_020));
    },
  ],
  [
    'failures in a hot loop',
    ['I3'],
    ({ clients }) => {
      const failures = Array.from({ length: 20 }, (_, index) => call(9_000 + index * 20, 'outage'));
      clients[0]!.calls.splice(3, 0, ...failures);
    },
  ],
  ['a renewal that did not come', ['I4'], ({ clients }) => clients[0]!.calls.splice(2, 1)],
  ['no renewal at the end', ['I4'], ({ clients }) => clients[0]!.calls.splice(3)],
  [
    'a renewal later than the fault before it explains',
    ['I4'],
    ({ clients, faults }) => {
      clients[0]!.calls.splice(2, 1);
      faults.push(fault({ from: start + 5_000, to: start + 6_000, delaysMs: 500 }));
    },
  ],
  [
    'a generation that falls at one broker',
    ['I5'],
    ({ answers }) => {
      const [late] = answers.filter(({ token }) => token === 3);
      Object.assign(late!, { token: 2, generation: 3 });
      const next = answers.findIndex((answer) => answer === late);
      answers.splice(next, 0, {
        ...late!,
        token: 3,
        generation: 4,
        sentAt: late!.sentAt - 20,
        receivedAt: late!.receivedAt - 20,
      });
    },
  ],
  [
    'a token of the old secret that was issued after the change',
    ['I6'],
    ({ clients }) => clients[0]!.rotations.push({ provider: start + 8_500, answered: start + 9_000 }),
  ],
  [
    'a token of the old secret stored over one of the new',
    ['I6'],
    ({ clients, tokens }) => {
      clients[0]!.rotations.push({ provider: start + 100, answered: start + 17_000 });
      tokens[2]!.rotations = 1;
    },
  ],
  [
    'a client that stays out of the queue',
    ['I7'],
    (record) => {
      record.absences.push({ client: 'eu', from: start - 50_000 });
      record.endedAt += 500;
    },
  ],
  [
    'more calls than the quota allows',
    ['I8'],
    ({ clients }) => (clients[0]!.quota = { name: 'counted', requests: 2, windowSeconds: 9 }),
  ],
  ['a refusal while the token was good', ['I9'], (record) => refuseAt(record, 30)],
  [
    'no answer from a broker that nothing was done to',
    ['I9'],
    (record) => {
      refuseAt(record, 30);
      Object.assign(record.answers[30]!, { status: 0, code: 'UND_ERR_HEADERS_TIMEOUT' });
      record.faults.push(fault({ brokers: [1] })); // it was the other one
    },
  ],
  [
    'a refusal before a client was deleted',
    ['I9'],
    (record) => {
      refuseAt(record, 30);
      record.clients[0]!.inactive.push({ from: start + 19_990 });
    },
  ],
];

test.each(doctored)('%s is found, as %j', (_title, expected, doctor) => {
  const record = healthy();
  doctor(record);
  expect([...new Set(violationsOf(record).map(({ invariant }) => invariant))]).toEqual(expected);
});

const excused: [string, (record: Record) => void][] = [
  [
    'an extra call that a fault explains',
    ({ clients, faults }) => {
      faults.push(fault({ extraCalls: 1 }));
      clients[0]!.calls.splice(2, 0, call(4_020));
    },
  ],
  [
    'a late renewal that a fault explains',
    ({ clients, faults }) => {
      clients[0]!.calls.splice(2, 1);
      faults.push(fault({ from: start + 5_000, to: start + 5_000, delaysMs: 15_500 }));
    },
  ],
  [
    'a refusal by a broker that was stopped',
    (record) => {
      refuseAt(record, 30);
      record.faults.push(fault({ brokers: [0, 1] }));
    },
  ],
  ['a refusal where nothing was promised any more', (record) => record.answers.splice(2, 196) && refuseAt(record, 2)],
  [
    'a client that is out of the queue while there is no Redis',
    (record) => {
      record.absences.push({ client: 'eu', from: start - 50_000 });
      record.faults.push(fault({ from: start - 50_000, hindersQueue: true, brokers: [] }));
    },
  ],
];

test.each(excused)('%s passes', (_title, doctor) => {
  const record = healthy();
  doctor(record);
  expect(violationsOf(record)).toEqual([]);
});
