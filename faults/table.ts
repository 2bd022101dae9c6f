import type { Result } from './run';

/** The results as Markdown, and under it what is to be known of those that failed. */
export function resultTable(results: Result[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
  const lines = results.map(({ name, inject, expected, seen, pass, seconds }) => {
    const cells = [name.replace('row ', ''), inject, expected, seen, pass ? `yes (${Math.round(seconds)} s)` : 'NO'];
    return `| ${cells.map(cell).join(' | ')} |`;
  });
  const failed = results.filter(({ pass }) => !pass);
  const more = failed.flatMap(({ name, lines: said, recordFile }) => [
    `\n${name}: the record is in ${recordFile ?? 'no file'}`,
    ...said.map((line) => `  ${line}`),
  ]);
  return ['| # | inject | expected | seen | pass |', '| - | - | - | - | - |', ...lines, ...more].join('\n');
}
