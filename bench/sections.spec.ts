import { markdownTable, wideTable } from './figures';
import { withSections } from './sections';

const reads = markdownTable([
  { measure: 'reads', figure: 2_000, unit: '/s', bar: { atLeast: 1_000 } },
  { measure: 'memory', figure: 200, unit: 'MB', bar: { atMost: 150 } },
]);
const renewals = wideTable(
  'measure',
  ['few', 'many'],
  [
    { measure: 'lateness', figures: [0.1, 0.2], unit: 's', bar: { atMost: 2 } },
    { measure: 'growth', figures: [undefined, 3], unit: 'MB' },
  ],
);

describe('the sections of docs/performance.md', () => {
  const both = withSections(withSections('', { 'Token reads': reads }), { 'Renewals at scale': renewals });

  it('a command that writes its own leaves those of the other as they are', () => {
    expect(both).toContain(reads);
    expect(both).toContain(renewals);
    expect(withSections(both, { 'Token reads': 'measured anew' })).toContain(renewals);
  });

  it('no figure outlives its measurement', () => {
    const anew = withSections(both, { 'Token reads': 'measured anew' });
    expect(anew).not.toContain(reads);
    expect(withSections(`${anew}\n\n## Gone\n\nold`, {})).toBe(anew);
  });

  it('all bars are counted, whoever wrote them, and one column that misses is a miss', () => {
    expect(both).toContain('2 of 3 bars are met. Missed: memory.');
    const late = renewals.replace('0.2 s | <= 2 | pass', '3 s | <= 2 | **miss**');
    expect(wideTable('measure', ['few', 'many'], [lateness(0.1, 3)])).toContain('3 s | <= 2 | **miss**');
    expect(withSections(both, { 'Renewals at scale': late })).toContain(
      '1 of 3 bars are met. Missed: memory; lateness.',
    );
  });
});

function lateness(...figures: number[]) {
  return { measure: 'lateness', figures, unit: 's', bar: { atMost: 2 } };
}
