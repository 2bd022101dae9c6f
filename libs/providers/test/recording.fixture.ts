import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

/** One conversation with a vendor, as its documentation shows it. A file of recorded/ holds one or more, as YAML documents. */
export interface Recording {
  /** What is particular about this one. */
  name?: string;
  /** As an admin gives them; an object stands for its JSON, and `$NAME` for a key of keys/. */
  inputs: Record<string, unknown>;
  /** The requests in order, each with its answer. None where the token is minted locally. */
  exchanges?: { request: RecordedRequest; answer: RecordedAnswer }[];
  token: {
    value: unknown;
    life_s: number | 'never';
    /** All of them; `$token` stands for the token. */
    headers?: Record<string, string>;
    query?: Record<string, string>;
    cookies?: Record<string, string>;
    outputs?: Record<string, string>;
    scope?: string;
    request_id?: string;
  };
  refusals?: Refusal[];
  /** Answers of the API that mean that the token is no longer accepted. */
  dead?: RecordedAnswer[];
}

interface RecordedRequest {
  method: string;
  url: string;
  /** Those that matter; null for one that must not be there. */
  headers?: Record<string, string | null>;
  form?: Record<string, unknown>;
  json?: unknown;
}

export interface RecordedAnswer {
  status?: number;
  headers?: Record<string, string>;
  /** An object stands for its JSON. */
  body?: unknown;
}

export interface Refusal {
  /** Which of the exchanges ends so; the ones before it go well. Default 0. */
  exchange?: number;
  answer: RecordedAnswer;
  class: string;
  /** A part of the hint. */
  hint: string;
}

/** Stands for a signed JWT in a request, or for the token itself. */
export interface ExpectedJwt {
  key: 'rsa' | 'ec' | { hex: string };
  header: Record<string, unknown>;
  /** All but iat and exp; `*` stands for any text. */
  claims: Record<string, unknown>;
  ttl_s: number;
}

const folder = join(__dirname, 'recorded');

/** By the id of the preset. */
export function loadRecordings(): Map<string, Recording[]> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return new Map(files.map((file) => [file.replace('.yaml', ''), readRecordings(join(folder, file))]));
}

function readRecordings(path: string): Recording[] {
  const documents = parseAllDocuments(readFileSync(path, 'utf8'));
  return [...documents].map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]!.message}`);
    return document.toJS() as Recording;
  });
}

/** PEM of `rsa`, `ec` or `certificate`: keys for these tests alone, and the certificate of the RSA key. */
export function pem(name: string): string {
  return readFileSync(join(__dirname, 'keys', `${name}.pem`), 'utf8');
}
