/** One line of the table. */
export interface Row {
  measure: string;
  /** The median over rounds where there are rounds. */
  figure: number;
  lowest?: number;
  highest?: number;
  unit: string;
  /** As in the design: at least, or at most. */
  bar?: { atLeast: number } | { atMost: number };
  note?: string;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median and spread of what the rounds gave. */
export function spread(values: number[]): Pick<Row, 'figure' | 'lowest' | 'highest'> {
  return { figure: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}

export function verdict({ bar, figure }: Row): 'pass' | 'miss' | '' {
  if (!bar) return '';
  return ('atLeast' in bar ? figure >= bar.atLeast : figure <= bar.atMost) ? 'pass' : 'miss';
}

export function markdownTable(rows: Row[]): string {
  const lines = rows.map((row) => {
    const { measure, figure, lowest, highest, unit, bar, note } = row;
    const range = lowest === undefined || highest === undefined ? '' : `${readable(lowest)} to ${readable(highest)}`;
    const wanted = bar ? ('atLeast' in bar ? `>= ${bar.atLeast}` : `<= ${bar.atMost}`) : '';
    const judged = verdict(row);
    const cells = [measure + (note ? ` (${note})` : ''), `${readable(figure)} ${unit}`.trim(), range, wanted];
    return `| ${[...cells, judged === 'miss' ? '**miss**' : judged].join(' | ')} |`;
  });
  return ['| measure | median | lowest to highest | bar | |', '|---|---|---|---|---|', ...lines].join('\n');
}

function readable(value: number): string {
  if (!Number.isFinite(value)) return 'not measured';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
