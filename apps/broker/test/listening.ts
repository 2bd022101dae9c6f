import { until } from './fleet';

export interface Heard {
  id: string;
  event: string;
  data: any;
}

/** One who listens to a stream of events. */
export interface Listener {
  status: number;
  headers: Headers;
  /** All events so far. */
  heard: Heard[];
  /** Everything so far, as it came. */
  text(): string;
  /** Settles when the stream has ended, in order or not. */
  ended: Promise<void>;
  hears(wanted: (heard: Heard[]) => boolean, withinMs?: number): Promise<Heard[]>;
  leave(): void;
}

export async function listen(url: string, headers: Record<string, string> = {}): Promise<Listener> {
  const leaving = new AbortController();
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: leaving.signal });
  const heard: Heard[] = [];
  let [all, rest] = ['', ''];
  const read = async (): Promise<void> => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      all += chunk;
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop()!;
      heard.push(...blocks.filter((block) => block.startsWith('id:')).map(parse));
    }
  };
  return {
    ...{ status: response.status, headers: response.headers, heard },
    text: () => all,
    ended: read().catch(() => undefined),
    hears: (wanted, withinMs) => until(async () => heard, wanted, withinMs),
    leave: () => leaving.abort(),
  };
}

function parse(block: string): Heard {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  return { id: fields['id']!, event: fields['event']!, data: JSON.parse(fields['data']!) };
}
