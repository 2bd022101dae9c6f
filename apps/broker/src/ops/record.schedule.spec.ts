import { createLogger } from '../logger';
import { BreakerRecorder } from './breaker-recorder';
import { ConditionRecorder } from './condition-recorder';
import { HourRecorder } from './hour-recorder';
import { RecordSchedule } from './record.schedule';

/** A database that answers one after the other, when it is told to. */
class SlowDatabase {
  readonly written: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #isOpen = false;

  write = async (what: string): Promise<void> => {
    if (what === '') return;
    if (!this.#isOpen) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.written.push(what);
  };

  answerFrom(end: 'newest' | 'oldest'): void {
    this.#isOpen = true;
    const waiting = end === 'newest' ? this.#waiting.reverse() : this.#waiting;
    for (const answer of waiting) answer();
  }
}

describe('what is gathered while the database is slow', () => {
  let database: SlowDatabase;
  let parts: { conditions: ConditionRecorder; breakers: BreakerRecorder; hours: HourRecorder };
  let records: RecordSchedule;
  beforeEach(() => {
    database = new SlowDatabase();
    const { write } = database;
    parts = {
      conditions: new ConditionRecorder({
        recordConditions: (changes: Map<string, { condition: string }>) =>
          write([...changes.values()].map(({ condition }) => condition).join()),
      } as never),
      breakers: new BreakerRecorder({
        recordBreakers: ([change]: { state: string }[]) => write(change!.state),
      } as never),
      hours: new HourRecorder({ add: ([row]: { count: number }[]) => write(`${row!.count} renewed`) } as never),
    };
    const { conditions, breakers, hours } = parts;
    const authenticator = { takeUses: () => new Map() };
    const access = { recordUses: async () => undefined };
    const others = [{}, {}, authenticator, access, createLogger('silent')] as never[];
    records = new RecordSchedule(conditions, breakers, hours, ...(others as [never, never, never, never, never]));
  });
  const breaker = (state: 'open' | 'closed') =>
    parts.breakers.breakerChanged({ provider: 'acme', origin: 'https://a.example', state });
  const became = (condition: 'failing' | 'fresh') => parts.conditions.conditionChanged({ clientId: 'c', condition });
  const renewed = () =>
    parts.hours.renewed({ clientId: 'c', provider: 'acme', generation: '1', runwayMs: 1, durationMs: 1 });

  it('is written in the order in which it came: a breaker that has closed does not stand there as open', async () => {
    breaker('open');
    const first = records.recordConditions();
    await new Promise(setImmediate);
    breaker('closed');
    const second = records.recordConditions();
    await new Promise(setImmediate);
    database.answerFrom('newest');
    await Promise.all([first, second]);
    await records.recordConditions();
    expect(database.written).toEqual(['open', 'closed']);
  });

  it('is written at the end too, behind what was just being written', async () => {
    became('failing');
    renewed();
    void records.recordConditions();
    void records.recordHours();
    became('fresh');
    renewed();
    const flushed = records.flush();
    database.answerFrom('oldest');
    await flushed;
    expect(database.written).toEqual(['failing', '1 renewed', 'fresh', '1 renewed']);
  });
});
