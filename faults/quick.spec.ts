import { play } from './run';
import { nameOf } from './row';
import { rows } from './rows/all';

const quick = rows.filter((row) => row.quick);

it('there are quick rows', () => expect(quick.length).toBeGreaterThanOrEqual(2));

it.each(quick.map((row) => [nameOf(row), row.inject, row.expected, row] as const))(
  'row %s: %s: %s',
  async (number, inject, expected, row) => {
    const result = await play({ ...row, name: `row ${number}`, inject, expected });
    expect({ ...result, seconds: 0, seen: '' }).toMatchObject({ pass: true, lines: [] });
  },
  60_000,
);
