import { type Database, openDatabase, postgresAdapter } from '#registry';
import { createDatabase, runSql, type TestDatabase } from '../../../test/harness/database';
import { startWire, type Wire } from '../../../test/harness/wire';

/** A database of these tests' own, behind a wire that a test may cut, and another way to it that stays. */
export interface CuttableDatabase {
  readonly db: Database;
  readonly wire: Wire;
  /** Goes past the wire. */
  sql(text: string): ReturnType<typeof runSql>;
}

/** Makes it before the tests of where it is called, mends the wire after each of them, and takes it away at the end. */
export function cuttableDatabase(): CuttableDatabase {
  let test: TestDatabase;
  let wire: Wire;
  let db: Database;
  beforeAll(async () => {
    test = await createDatabase();
    wire = await startWire(test.url);
    db = openDatabase(postgresAdapter(wire.url));
  });
  afterEach(() => wire.mend());
  afterAll(async () => {
    await db.$disconnect();
    await wire.close();
    await test.drop();
  });
  return {
    get db() {
      return db;
    },
    get wire() {
      return wire;
    },
    sql: (text) => runSql(test.url, text),
  };
}
