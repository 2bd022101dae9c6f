import { markdownTable, type Row, verdict } from './figures';

/** docs/performance.md: written whole by each run, so that no figure outlives what made it. */
export function report(parts: Record<string, Row[]>, machine: string, command: string): string {
  const all = Object.values(parts).flat();
  const missed = all.filter((row) => verdict(row) === 'miss').map(({ measure }) => measure);
  const judged = all.filter(({ bar }) => bar).length;
  return `# Performance

Written by \`${command}\`. Do not edit: run it again.

Machine: ${machine}. ${new Date().toISOString().slice(0, 10)}.

${judged - missed.length} of ${judged} bars are met. ${missed.length > 0 ? `Missed: ${missed.join('; ')}.` : ''}

${Object.entries(parts)
  .map(([part, rows]) => `## ${part}\n\n${markdownTable(rows)}`)
  .join('\n\n')}

${howToRead}`;
}

const howToRead = `## How they were taken

- Everything is a real process: the broker as it ships, PostgreSQL, Redis, and the simulator (\`CHEAP_TOKENS=1\`) as provider,
  over real sockets. PostgreSQL runs with \`fsync=off\`, which the measured paths do not touch.
- A token read includes the key's HMAC, its expiry and the grant. The servers beside it answer the same bytes and check nothing.
- The servers under load take turns within each round, on the same core, over the same keep-alive connections, one request at a
  time on each. Ratios are taken round by round; the median, the lowest and the highest of them are shown.
- The load generator writes and reads raw bytes, so that it is not what is measured. "Busy" is the share of its core that the
  server had: below some 95 %, neighbours on the machine or the generator set the pace, and the ratio per second of CPU says more.
- Latency is taken at a fixed rate, kept up whether or not earlier answers came; waiting for a free connection counts.
- Renewals: nobody reads these clients' tokens meanwhile. For a token that a replica has in its cache, each renewal costs
  one more script (\`read\`) and three more inner commands for each such replica.
- Tokens of some 900 bytes for token reads and memory, of some 570 for renewals (the mode cheap_tokens, which saves only the
  simulator the cost of signing).
- A renewal's share includes what the broker and Redis do besides: 16 shards asked four times a second whether anything is due.
  At fewer renewals a second that share grows, and the figures per renewal with it.

## Not measured yet

Against webdis and against nginx + lua; a read with a cold cache; p99 during renewals and during a flood of bad keys;
several replicas; 100,000 clients for three lifetimes; memory per 1,000 cached clients; \`npm start\` to first token.
`;
