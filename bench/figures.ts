/** As in the design: at least, or at most. */
export type Bar = { atLeast: number } | { atMost: number };

/** One line of a table. */
export interface Row {
  measure: string;
  /** The median over rounds where there are rounds. */
  figure: number;
  lowest?: number;
  highest?: number;
  unit: string;
  bar?: Bar;
  note?: string;
}

/** One line of a table in which the columns are what is compared. */
export interface WideRow {
  measure: string;
  /** Absent where a column has none. */
  figures: (number | undefined)[];
  unit: string;
  /** For each of them. */
  bar?: Bar;
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

export function percentiles(values: number[]): { p50: number; p99: number } {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

export function verdict(bar: Bar | undefined, ...figures: number[]): 'pass' | 'miss' | '' {
  if (!bar) return '';
  const met = (figure: number): boolean => ('atLeast' in bar ? figure >= bar.atLeast : figure <= bar.atMost);
  return figures.every(met) ? 'pass' : 'miss';
}

export function markdownTable(rows: Row[]): string {
  const lines = rows.map(({ measure, figure, lowest, highest, unit, bar, note }) => {
    const range = lowest === undefined || highest === undefined ? '' : `${readable(lowest)} to ${readable(highest)}`;
    const value = `${readable(figure)} ${Number.isFinite(figure) ? unit : ''}`.trim();
    const cells = [measure + (note ? ` (${note})` : ''), value, range];
    return tableLine([...cells, ...judgement(bar, figure)]);
  });
  return [tableLine(['measure', 'median', 'lowest to highest', 'bar', '']), '|---|---|---|---|---|', ...lines].join(
    '\n',
  );
}

export function wideTable(first: string, columns: string[], rows: WideRow[]): string {
  const lines = rows.map(({ measure, figures, unit, bar }) => {
    const cells = figures.map((figure) => (figure === undefined ? '' : `${readable(figure)} ${unit}`.trim()));
    return tableLine([measure, ...cells, ...judgement(bar, ...figures.filter((figure) => figure !== undefined))]);
  });
  const heading = [first, ...columns, 'bar', ''];
  return [tableLine(heading), `|${heading.map(() => '---|').join('')}`, ...lines].join('\n');
}

export function readable(value: number): string {
  if (!Number.isFinite(value)) return 'not measured';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function judgement(bar: Bar | undefined, ...figures: number[]): [bar: string, verdict: string] {
  const wanted = bar ? ('atLeast' in bar ? `>= ${bar.atLeast}` : `<= ${bar.atMost}`) : '';
  const judged = verdict(bar, ...figures);
  return [wanted, judged === 'miss' ? '**miss**' : judged];
}

function tableLine(cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}
