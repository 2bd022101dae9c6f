import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { listen, theAnswer } from './answer';

// What one would write by hand: look up the token in Redis, send it on. No key is checked.
const { headers } = theAnswer();
const flat = Object.entries(headers).flat();
const redis = new Redis(process.env['REDIS_URL'] ?? '');
/** Absent: what the path says. */
const key = process.env['BENCH_KEY'];

void redis.ping().then(() =>
  listen(
    createServer((request, response) => {
      void redis.get(key ?? request.url!).then((value) => {
        response.writeHead(200, flat);
        response.end(value);
      });
    }),
  ),
);
