import 'reflect-metadata';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { controllers } from '../apps/broker/src/app.module';
import { openApiDocument } from '../apps/broker/src/openapi';

/** Beside package.json, seen from dist/tools. */
const file = join(__dirname, '..', '..', 'openapi.json');

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What the controllers ask for in their constructors: Nest insists on having it, and hands it to no one. */
const asked = controllers.flatMap(
  (each) => (Reflect.getMetadata('design:paramtypes', each) as Type[] | undefined) ?? [],
);

@Module({ controllers, providers: asked.map((provide) => ({ provide, useValue: {} })) })
class Routes {}

/**
 * What `/openapi.json` says, without a database, Redis or a socket: in preview mode Nest reads the decorators and makes
 * none of the controllers.
 */
async function described(): Promise<Json> {
  const settings = { preview: true, logger: ['error'] as ['error'], abortOnError: false };
  const app = await NestFactory.create<NestFastifyApplication>(Routes, new FastifyAdapter(), settings);
  const document = JSON.parse(JSON.stringify(openApiDocument(app))) as Record<string, Json>;
  const components = document['components'] as Record<string, Record<string, Json>>;
  // Which controller comes first is an accident; the order of a schema's properties is for the reader.
  for (const [kind, members] of Object.entries(components)) {
    components[kind] = Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return document;
}

/** JSON pointers (RFC 6901) to what differs, as deep as both sides have it. The order of keys is no difference. */
function differences(was: Json | undefined, is: Json | undefined, pointer = ''): string[] {
  if (isDeepStrictEqual(was, is)) return [];
  if (was === undefined) return [`+ ${pointer}`];
  if (is === undefined) return [`- ${pointer}`];
  if (!isNode(was) || !isNode(is) || Array.isArray(was) !== Array.isArray(is)) {
    return [`~ ${pointer}: ${JSON.stringify(was)} -> ${JSON.stringify(is)}`];
  }
  const [before, after] = [was as Record<string, Json>, is as Record<string, Json>];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    differences(before[key], after[key], `${pointer}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`),
  );
}

const isNode = (value: Json): value is Json[] | { [key: string]: Json } => typeof value === 'object' && value !== null;

/** `npm run openapi` writes openapi.json; `npm run openapi:check` fails where it and the controllers disagree. */
async function main(): Promise<void> {
  const is = await described();
  if (process.argv.includes('--write')) {
    writeFileSync(file, `${JSON.stringify(is, null, 2)}\n`);
    return console.log('Wrote openapi.json');
  }
  const was = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Json) : {};
  const found = differences(was, is);
  if (found.length === 0) return console.log('openapi.json and the controllers agree');
  console.error(`openapi.json is not what the controllers say:\n\n${found.map((each) => `  ${each}`).join('\n')}\n`);
  console.error('Meant so? Write it down: npm run openapi');
  process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
