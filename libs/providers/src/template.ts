import { Liquid, type Template as LiquidNode } from 'liquidjs';
import { Secret } from '#vault';
import { type Path, parsePath, valueAt } from './path';

/** Where a rendered template lands, which decides how its values are escaped. */
export type Position = 'text' | 'url' | 'url_prefix';

/** What templates can name. Without a prototype, so that nothing else can be named. */
export interface Scope {
  inputs: Record<string, string | Secret | UrlText>;
  steps?: Record<string, { body: unknown; headers: Record<string, string> }>;
  token?: Secret;
}

/** A URL that was checked as a whole, and goes into a URL as it stands. */
export class UrlText {
  constructor(readonly text: string) {}
}

/** A template that does not parse, or cannot be rendered with these values. The message never holds a value. */
export class TemplateFault extends Error {
  override readonly name = 'TemplateFault';
}

/** The secret is revealed here, while the text that holds it is written, and nowhere else. */
function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (value instanceof Secret) return value.reveal();
  if (value instanceof UrlText) return value.text;
  if (typeof value === 'object') throw new TemplateFault('a list or an object stands where text is needed');
  return String(value);
}

function escapeForUrl(value: unknown): string {
  const escaped = encodeURIComponent(asText(value));
  // "." and ".." survive the encoding, and would climb out of the path that the definition wrote.
  if (escaped === '.' || escaped === '..') throw new TemplateFault('"." and ".." cannot stand in a URL');
  return escaped;
}

const filters: Record<string, (value: unknown) => string> = {
  base64: (value) => Buffer.from(asText(value), 'utf8').toString('base64'),
  url_encode: (value) => encodeURIComponent(asText(value)),
};

const escapes: Record<Position, (value: unknown) => string> = {
  text: asText,
  url: (value) => (value instanceof UrlText ? value.text : escapeForUrl(value)),
  // The template goes on with a "/": https://host and https://host/ are to give the same URL.
  url_prefix: (value) => (value instanceof UrlText ? value.text.replace(/\/+$/, '') : escapeForUrl(value)),
};

/** Liquid with nothing in it but our filters: no tags (so no loops, files or assignments), no prototypes. */
function engine(position: Position): Liquid {
  const liquid = new Liquid({
    ownPropertyOnly: true,
    strictFilters: true,
    outputEscape: escapes[position],
    parseLimit: 10_000,
    renderLimit: 1000,
    memoryLimit: 1_000_000,
  });
  for (const registry of [liquid.filters, liquid.tags]) {
    for (const name of Object.keys(registry)) delete registry[name];
    // Liquid looks names up with [], which would find `constructor` as a filter.
    Object.setPrototypeOf(registry, null);
  }
  for (const [name, filter] of Object.entries(filters)) liquid.registerFilter(name, filter);
  return liquid;
}

const engines: Record<Position, Liquid> = {
  text: engine('text'),
  url: engine('url'),
  url_prefix: engine('url_prefix'),
};
const output = /\{\{(.*?)\}\}/gs;
const expression = /^\s*([^\s|]+)\s*((?:\|\s*\w+\s*)*)$/;

/** A parsed template: text with `{{ path | filter }}` in it. Parse once, render often. */
export class Template {
  /** Every path that the template names. */
  readonly references: readonly Path[];
  readonly #nodes: LiquidNode[];
  readonly #liquid: Liquid;
  /** The path, when the template is one output and nothing else. */
  readonly #only: Path | undefined;
  readonly #filtered: boolean;

  /** @throws TemplateFault */
  constructor(
    readonly source: string,
    position: Position = 'text',
  ) {
    const outputs = [...source.matchAll(output)];
    // The grammar is narrower than Liquid's (no literals, ranges, operators, filter arguments); a later one may widen it.
    this.references = outputs.map(([whole, inner]) => {
      const path = parsePath(expression.exec(inner!)?.[1] ?? '');
      if (!path || path.includes('*'))
        throw new TemplateFault(`${whole} is not of the form {{ path }} or {{ path | filter }}`);
      return path;
    });
    if (/\{\{|\{%|\}\}|%\}/.test(source.replace(output, ''))) {
      throw new TemplateFault('has an unmatched "{{" or "}}", or a tag ("{%"): tags are not part of the language');
    }
    this.#liquid = engines[position];
    this.#only = outputs.length === 1 && outputs[0]![0] === source ? this.references[0] : undefined;
    this.#filtered = source.includes('|');
    try {
      this.#nodes = this.#liquid.parse(source);
    } catch (error) {
      const reason = (error as Error).message.split('\n')[0]!.replace(/, line:\d+.*$/, '');
      throw new TemplateFault(`${reason} (known filters: ${Object.keys(filters).join(', ')})`);
    }
  }

  /** It stands for one value, and that value is not there: the field which holds the template is to be left out. */
  isAbsent(scope: Scope): boolean {
    return this.#only !== undefined && (valueAt(scope, this.#only) ?? undefined) === undefined;
  }

  /** @throws TemplateFault */
  render(scope: Scope): string {
    try {
      return String(this.#liquid.renderSync(this.#nodes, Object.assign(Object.create(null), scope)));
    } catch {
      // Liquid's error holds the scope: neither it nor its text goes any further.
      throw new TemplateFault(`"${this.source}" cannot be rendered with these values`);
    }
  }

  /** The one value that the template stands for, unconverted: a number stays a number. */
  value(scope: Scope): unknown {
    return this.#only && !this.#filtered ? valueAt(scope, this.#only) : this.render(scope);
  }
}
