import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { ApiKeys, KeyRing, newMasterKey } from '#vault';

// Guesses at keys, as fast as they are refused, on connections that are opened again as soon as they are closed; it hangs
// up where an answer takes longer than its patience, if that is above 0. The process that measures started it and ends it.
const [url = '', path = '', connections = '64', patienceMs = '0'] = process.argv.slice(2);
const { hostname, port, host } = new URL(url);
setPriority(10); // it shares its core with what measures
process.on('disconnect', () => process.exit());

/** Well-formed, so that it takes more than a look to refuse them, and not those of this broker. */
const strangers = new ApiKeys(KeyRing.parse(newMasterKey('flood')));
const requests = Array.from({ length: 5_000 }, () => {
  const key = strangers.mint('tbk').key.reveal();
  return `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\n\r\n`;
});
let sent = 0;
let refused = 0;

function open(): void {
  const socket = connect(Number(port), hostname);
  const send = (): void => void socket.write(requests[sent++ % requests.length]!);
  socket.on('connect', send);
  socket.on('data', (chunk) => {
    if (!chunk.includes('HTTP/1.1 4')) return; // the rest of one that was counted
    refused++;
    send();
  });
  socket.setTimeout(Number(patienceMs), () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => setTimeout(open, 5));
}

// One after the other, so that they do not all come at the same moments ever after.
for (let i = 0; i < Number(connections); i++) setTimeout(open, i);
process.on('message', () => process.send?.({ sent, refused }));
