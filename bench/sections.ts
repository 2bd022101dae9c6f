/** In this order. Each command writes its own and leaves the others as they are. */
const titles = [
  'Token reads',
  'Cold reads and memory',
  'Reads under strain',
  'Provider calls by a fleet',
  'From nothing to a token',
  'Redis memory per client',
  'Renewals at scale',
  'Ten million clients',
  'Ten thousand at once',
] as const;

export type Title = (typeof titles)[number];

/**
 * The whole text, with new sections in it. What stood under their titles goes, so that no figure outlives what made it;
 * and so does a title that no command writes any more.
 */
export function withSections(present: string, fresh: Partial<Record<Title, string>>): string {
  const before = sectionsOf(present);
  const all = titles.flatMap((title) => {
    const body = fresh[title] ?? before.get(title);
    return body === undefined ? [] : [`## ${title}\n\n${body}`];
  });
  return [heading(all.join('\n')), ...all, howToRead].join('\n\n');
}

function sectionsOf(text: string): Map<string, string> {
  const parts = text.split(/^## (.+)$/m).slice(1);
  return new Map(parts.flatMap((title, i) => (i % 2 === 0 ? [[title, parts[i + 1]!.trim()] as const] : [])));
}

/** Which bars are met, as the tables say in their last column. */
function heading(tables: string): string {
  const rows = tables.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const missed = rows.filter((cells) => cells.at(-2) === '**miss**').map((cells) => cells[1]);
  const met = rows.filter((cells) => cells.at(-2) === 'pass').length;
  return `# Performance

Written by \`npm run bench -- --write\` and \`npm run bench:renewals -- --write\`, each its own sections. Do not edit: run them again.

${met} of ${met + missed.length} bars are met. ${missed.length > 0 ? `Missed: ${missed.join('; ')}.` : ''}`;
}

const howToRead = `## How they were taken

- Everything is a real process: the broker as it ships, PostgreSQL, Redis, and the simulator as provider, over real sockets.
  PostgreSQL runs with \`fsync=off\`, which the measured paths do not touch.
- A token read includes the key's HMAC, its expiry and the grant. The servers beside it check nothing, and answer with the same body
  and, but for webdis, which has its own, the same headers. Redis and the load generator have another core, which is to the advantage
  of those that ask Redis for each read. webdis and nginx run in one thread and one process, keep their connections to
  Redis, and write no log. Every read audited: a second broker, on the same core, with \`AUDIT_READS=true\`.
- The servers under load take turns within each round, on the same core, over the same keep-alive connections, one request at a
  time on each. Ratios are taken round by round; the median, the lowest and the highest of them are shown.
- A cold read: the token was looked up 10 s ago, so that Redis has to be asked whether it is still the latest; only another one would be
  read again, and opened. Who may read it is known as far as the broker keeps that.
- Memory at rest is read 15 s after a start with 10,000 clients in PostgreSQL and Redis, when V8 has collected what the start left
  behind; for each 1,000 tokens, from the growth between 2,500 and 10,000 of them, with what is kept of who may read each, once garbage
  is collected; when V8 does so by itself is chance. The broker has the flags of \`npm start\`.
- Under strain: 2,000 reads a second of one token, by turns at rest and under it. Renewals: of two replicas on one core, one has
  nothing to renew and the other is halted while the first is measured. Bad keys: well-formed, unknown, each another, from the same
  address as the good one, sent again as soon as they are refused, which is one to two seconds late after the first hundred. A
  flood that hangs up waits for 50 ms, then opens a new connection for its next attempt: some 1,100 a second.
- Provider calls by a fleet: what the provider counted, divided by the tokens that the fleet stored.
- The load generator writes and reads raw bytes, so that it is not what is measured. "Busy" is the share of its core that the
  server had: below some 95 %, neighbours on the machine or the generator set the pace, and the ratio per second of CPU says more.
- Latency, at half load and under strain, is taken by h2load (C, Debian's \`nghttp2-client\`), each connection at its share of a fixed
  rate. What came due on a connection while it waited for an answer counts from then on, as HdrHistogram corrects for coordinated
  omission. Where h2load is missing, a generator in Node sends in bursts of a millisecond, and the row says so.
- \`npm start\` is measured with all dependencies installed, in an empty data folder, on the core that the bench has, up to the answer
  to a service that asks for a token; the client, the service and its key are made over HTTP meanwhile.
- Renewals at scale: the clients are registered and their first tokens spread before anything is measured; each figure per
  renewal is the median of five windows. Lives are scaled down, so that fewer clients make as many renewals a second as more of
  them with longer lives do. A token that ended is one that Redis let go by its time. Lateness is from the broker's histogram,
  interpolated within its buckets.
- Nobody reads these clients' tokens meanwhile. For a token that a replica has in its cache, each renewal costs one more script
  (\`read\`) and three more inner commands for each such replica.
- Their tokens have 900 bytes and no signature, and the simulator issues them ahead of its framework (\`BULK_TTL_SECONDS\`), so
  that it is not what is measured. It answers within a millisecond; a provider that takes longer costs no CPU but more renewals
  in flight.
- A renewal's share includes what the broker and Redis do besides: 16 shards asked four times a second whether anything is due.
  At fewer renewals a second that share grows, and the figures per renewal with it.
`;
