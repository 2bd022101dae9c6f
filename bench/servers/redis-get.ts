import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { listen, theAnswer } from './answer';

// What one would write by hand: look up the token in Redis, send it on. No key is checked.
const { headers, body } = theAnswer();
const flat = Object.entries(headers).flat();
const redis = new Redis(process.env['REDIS_URL'] ?? '');
const key = 'bench:answer';

void redis.set(key, body).then(() =>
  listen(
    createServer((_request, response) => {
      void redis.get(key).then((value) => {
        response.writeHead(200, flat);
        response.end(value);
      });
    }),
  ),
);
