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

/** Those that the matrix has, and apart from them those that repeat one of it in another place. */
export function total(results: Result[]): string {
  const count = (all: Result[]): string => `${all.filter(({ pass }) => pass).length} of ${all.length}`;
  const besides = results.filter(({ name }) => /\d[a-z]$/.test(name));
  const own = results.filter((result) => !besides.includes(result));
  if (besides.length === 0) return count(own);
  return `${own.length > 0 ? `${count(own)}, and ` : ''}${count(besides)} in another place`;
}
