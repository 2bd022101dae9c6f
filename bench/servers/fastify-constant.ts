import { fastify } from 'fastify';
import { keepAliveMs, theAnswer } from './answer';

// The same route as the broker's on the same framework, with nothing behind it.
const { headers, body } = theAnswer();
const app = fastify({ keepAliveTimeout: keepAliveMs });

app.get('/v1/clients/:name/token', (_request, reply) => {
  reply.headers(headers).send(body);
});

app
  .listen({ port: 0, host: '127.0.0.1' })
  .then((url) => console.log(`listening on ${url}`))
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
