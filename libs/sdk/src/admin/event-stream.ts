import { parsed } from '../http/answer';

export interface ServerSentEvent {
  id: string;
  /** Parsed. */
  data: unknown;
}

/** The events of a body of `text/event-stream` (HTML standard, 9.2.6), so far as the broker makes use of it. */
export async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop()!;
      for (const block of blocks) {
        const id = field(block, 'id');
        const data = field(block, 'data');
        // Comments keep the connection alive.
        if (id !== undefined && data !== undefined) yield { id, data: parsed(data) };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function field(block: string, name: string): string | undefined {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith(`${name}:`));
  return lines.length === 0 ? undefined : lines.map((line) => line.slice(name.length + 1).trimStart()).join('\n');
}
