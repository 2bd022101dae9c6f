import { Context, type Liquid, toValueSync, Value } from 'liquidjs';
import { filterFault, isOneWay, liquid } from './filters';
import { parsePath, type Path, pathText } from './path';
import { asText, maxTextChars, TemplateFault, UrlText } from './text';

/** Where a rendered template lands, which decides how its values are escaped. */
export type Position = 'text' | 'url' | 'authority' | 'url_lead' | 'xml';

/** What templates can name. */
export interface Names {
  /** The value at the path; undefined when there is none. */
  at(path: Path): unknown;
  /** Told each text that a filter made out of a secret, so that it is not shown either. */
  derived?(value: unknown, from: readonly Path[]): void;
}

/** A path that a template names. */
export interface Reference {
  path: Path;
  /** It goes through a digest, or signs: what it names cannot be told from the text. */
  hidden: boolean;
}

const quoted = String.raw`"[^"\\]*"|'[^'\\]*'`;
const operand = String.raw`(?:${quoted}|-?\d+(?:\.\d+)?|${pathText})`;
// Quotes may hold "}}"; nothing in it can match in two ways, so that no text takes long to be refused.
const output = new RegExp(String.raw`\{\{((?:${quoted}|[^"'{}]|\}(?!\}))*)\}\}`, 'g');
const expression = new RegExp(
  String.raw`^\s*(${operand})\s*((?:\|\s*\w+\s*(?::\s*${operand}\s*(?:,\s*${operand}\s*)*)?)*)$`,
);
const filter = new RegExp(String.raw`\|\s*(\w+)\s*(?::\s*(${operand}\s*(?:,\s*${operand}\s*)*))?`, 'g');
const operands = new RegExp(operand, 'g');

/** One `{{ value | filter: argument }}`. Liquid applies the filters; which value a path names is ours to say. */
class Expression {
  readonly references: Reference[] = [];
  readonly hasFilters: boolean;
  readonly hasDefault: boolean;
  /** Texts that stand in it. */
  readonly literals: string[] = [];
  readonly #head: Path | undefined;
  /** It takes one of several, of which there may be none. */
  readonly #picks: boolean;
  /** Keys of HMACs. Without its key a signature is not empty, but wrong. */
  readonly #keys: readonly Path[];
  readonly #value: Value;

  constructor(source: string) {
    const [, head, filters] = expression.exec(source) ?? [];
    if (head === undefined) throw new TemplateFault(`{{${source}}} is not of the form ${form}${otherwise(source)}`);
    const used = [...filters!.matchAll(filter)].map(([, name, given]) => ({
      name: name!,
      given: given?.match(operands) ?? [],
    }));
    for (const { name, given } of used) {
      const fault = filterFault(name, given);
      if (fault) throw new TemplateFault(fault);
    }
    this.hasFilters = used.length > 0;
    this.hasDefault = used.some(({ name }) => name === 'default');
    this.#picks = used.some(({ name }) => name === 'first' || name === 'last');
    const lastDigest = used.findLastIndex(({ name }) => isOneWay(name));
    const first = this.#operand(head, lastDigest >= 0);
    this.#head = first !== head ? this.references[0]?.path : undefined;
    const keys = used.flatMap(({ name, given }) => (name.startsWith('hmac_') ? given : []));
    this.#keys = keys.flatMap((key) => (/^["'\d-]/.test(key) ? [] : [parsePath(key) ?? []]));
    const applied = used.map(({ name, given }, index) => {
      const list = given.map((text) => this.#operand(text, index <= lastDigest)).join(', ');
      return `| ${name}${list ? `: ${list}` : ''}`;
    });
    this.#value = new Value([first, ...applied].join(' '), liquid as Liquid);
  }

  /** A path becomes the variable `v0`, `v1` …, a literal stays. */
  #operand(text: string, hidden: boolean): string {
    if (/^["']/.test(text)) this.literals.push(text.slice(1, -1));
    if (/^["'\d-]/.test(text)) return text;
    const path = parsePath(text);
    if (!path || path.includes('*'))
      throw new TemplateFault(`"${text}" is not a path such as steps.token.body.list[0]`);
    this.references.push({ path, hidden });
    return `v${this.references.length - 1}`;
  }

  /** The value it begins with is not there, and nothing is said to stand in. */
  isAbsent(names: Names): boolean {
    if (this.#keys.some((key) => isMissing(names, key))) return true;
    if (this.#head === undefined) return false;
    if (this.hasDefault) return (this.evaluate(names) ?? '') === '';
    return isMissing(names, this.#head) || (this.#picks && (this.evaluate(names) ?? undefined) === undefined);
  }

  /** As a part of a longer text, which would go on without it: `Bearer ` and no token. */
  evaluateInText(names: Names): unknown {
    const [root, name, ...part] = this.#head ?? [];
    if (isAnswered(root) && !this.hasDefault && this.isAbsent(names)) {
      const what =
        root === 'steps' ? `the answer of step ${name} has no ${part.join('.')}` : `there is no ${root}.${name}`;
      throw new TemplateFault(what);
    }
    if (this.#keys.some((key) => isMissing(names, key))) throw new TemplateFault('the key of the HMAC is missing');
    return this.evaluate(names);
  }

  evaluate(names: Names): unknown {
    const values = this.references.map(({ path }) => names.at(path));
    if (!this.hasFilters && this.#head) return values[0];
    const scope = Object.assign(
      Object.create(null) as Record<string, unknown>,
      Object.fromEntries(values.map((value, index) => [`v${index}`, value])),
    );
    const result: unknown = toValueSync(this.#value.value(new Context(scope, liquid.options)));
    names.derived?.(
      result,
      this.references.map(({ path }) => path),
    );
    return result;
  }
}

const form = '{{ value | filter: argument }}';

/** What other languages write differently. */
function otherwise(source: string): string {
  const text = source.replace(new RegExp(quoted, 'g'), '""');
  if (/\.\d/.test(text)) return '; an item of a list is a[0]';
  if (/[()]/.test(text)) return '; there are no parentheses';
  return /\s[+~]\s/.test(text) ? '; texts are joined by append, or by one {{ }} after the other' : '';
}

function unclosed(piece: string): string {
  const hint = piece.includes('\\') ? '; a text in it cannot hold a backslash' : '';
  return `has a "{{" that is not closed by "}}"${hint}`;
}

/** What an issuer tells, and may leave out. */
function isAnswered(root: unknown): boolean {
  return root === 'steps' || root === 'outputs' || root === 'discovery';
}

function isMissing(names: Names, path: Path): boolean {
  return (names.at(path) ?? undefined) === undefined;
}

/** A parsed template: text with `{{ … }}` in it. Parse once, render often. */
export class Template {
  /** Every path that the template names. */
  readonly references: readonly Reference[];
  readonly #pieces: readonly (string | Expression)[];
  /** The expression, when the template is that and nothing else. */
  readonly #only: Expression | undefined;

  /** @throws TemplateFault */
  constructor(
    readonly source: string,
    private readonly position: Position = 'text',
  ) {
    const pieces: (string | Expression)[] = [];
    let end = 0;
    for (const match of source.matchAll(output)) {
      pieces.push(source.slice(end, match.index), new Expression(match[1]!));
      end = match.index + match[0].length;
    }
    pieces.push(source.slice(end));
    this.#pieces = pieces.filter((piece) => piece !== '');
    for (const piece of this.#pieces) {
      if (typeof piece !== 'string') continue;
      if (piece.includes('{%')) throw new TemplateFault('has a tag ("{%"): tags are not part of the language');
      if (piece.includes('{{')) throw new TemplateFault(unclosed(piece));
    }
    const [only] = this.#pieces;
    this.#only = this.#pieces.length === 1 && only instanceof Expression ? only : undefined;
    this.references = this.#expressions.flatMap((one) => one.references);
  }

  get #expressions(): Expression[] {
    return this.#pieces.filter((piece): piece is Expression => typeof piece !== 'string');
  }

  /** The text outside of `{{ }}`, each of which leaves `stand` in its place. */
  literalText(stand = ''): string {
    return this.#pieces.map((piece) => (typeof piece === 'string' ? piece : stand)).join('');
  }

  /** The path and the texts of a template that is one path, or one of several paths by way of `default`. */
  get alternatives(): { paths: readonly Path[]; literals: readonly string[] } | undefined {
    const only = this.#only;
    if (!only || (only.hasFilters && !/^[^|]*(\|\s*default\s*:[^|]*)+$/.test(this.source))) return undefined;
    return { paths: only.references.map(({ path }) => path), literals: only.literals };
  }

  /** It stands for one value, and that value is not there: the field which holds the template is to be left out. */
  isAbsent(names: Names): boolean {
    return this.#only !== undefined && guarded(this, () => this.#only!.isAbsent(names));
  }

  /** @throws TemplateFault */
  render(names: Names): string {
    return guarded(this, () => {
      const value = (piece: Expression) => (this.#only ? piece.evaluate(names) : piece.evaluateInText(names));
      const text = this.#pieces
        .map((piece) => (typeof piece === 'string' ? piece : escapes[this.position](value(piece))))
        .join('');
      if (text.length > maxTextChars) throw new TemplateFault(`makes a text of more than ${maxTextChars} characters`);
      return text;
    });
  }

  /** The text; undefined where the field is to be left out. @throws TemplateFault */
  renderUnlessAbsent(names: Names): string | undefined {
    return this.isAbsent(names) ? undefined : this.render(names);
  }

  /** The one value that the template stands for, unconverted: a number stays a number. @throws TemplateFault */
  value(names: Names): unknown {
    return this.#only ? guarded(this, () => this.#only!.evaluate(names)) : this.render(names);
  }
}

/** Whatever a library throws may hold values: neither it nor its text goes any further. */
function guarded<T>(template: Template, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const fault = faultIn(error);
    const said = fault ? `: ${fault.message}` : '';
    throw new TemplateFault(`"${template.source.slice(0, 200)}" cannot be rendered with these values${said}`);
  }
}

/** Liquid wraps what a filter throws. */
function faultIn(error: unknown): TemplateFault | undefined {
  if (error instanceof TemplateFault) return error;
  const { originalError } = (error ?? {}) as { originalError?: unknown };
  return originalError instanceof TemplateFault ? originalError : undefined;
}

function escapeForUrl(value: unknown): string {
  const escaped = encodeURIComponent(asText(value));
  // "." and ".." survive the encoding, and would climb out of the path that the definition wrote.
  if (escaped === '.' || escaped === '..') throw new TemplateFault('"." and ".." cannot stand in a URL');
  return escaped;
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

const escapes: Record<Position, (value: unknown) => string> = {
  text: asText,
  url: (value) => (value instanceof UrlText && value.kind === 'path' ? value.text : escapeForUrl(value)),
  // What may stand here is checked when the definition is read: URLs and hosts, which are taken as they are, and names.
  authority: (value) => (value instanceof UrlText ? value.text : escapeForUrl(value)),
  // What may stand here is a whole URL, up to where the template goes on.
  url_lead: asText,
  xml: (value) => asText(value).replace(/[&<>"']/g, (char) => entities[char]!),
};
