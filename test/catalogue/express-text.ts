/** A text of the catalogue in pieces: literal, a reference, or a function of pieces. */
type Piece = string | { ref: string } | { call: string; of: Piece[] };

const functions: Record<string, string> = {
  base64: 'base64',
  sha256Hex: 'sha256 | hex',
  fingerprint: 'public_key_sha256 | base64 | prepend: "SHA256:"',
};

const dateLetters: Record<string, string> = { YYYY: '%Y', MM: '%m', DD: '%d', HH: '%H', mm: '%M', ss: '%S' };

/** What `now…` and `random` of the catalogue are in the language. */
function generated(ref: string): string | undefined {
  if (ref === 'random') return 'uuid';
  const [, days, format] = /^now(?:\+(\d+):days)?:(.+)$/.exec(ref) ?? [];
  if (format === undefined) return undefined;
  const later = days === undefined ? '' : ` | plus: ${Number(days) * 86_400}`;
  return `now${later} | date: "${format.replace(/YYYY|MM|DD|HH|mm|ss/g, (letters) => dateLetters[letters]!)}"`;
}

/** Translates texts of the catalogue into templates; `name` says what a reference is called in the definition. */
export class Translation {
  constructor(private readonly name: (ref: string) => string) {}

  text(source: string): string {
    // A quoted reference inside a text (GraphQL in JSON) has to be written as a JSON string, quotes and all.
    const quoted = source.split(/"(\$\{[\w.]+\})"/);
    const parts = quoted.map((part, index) =>
      index % 2 === 0 ? this.#plain(part) : this.#tag(pieces(part), ' | json'),
    );
    return parts.join('');
  }

  /** One expression, without braces, for the whole text: what an argument of a filter has to be. */
  expression(source: string): string {
    return this.#chain(pieces(source));
  }

  /** Every text in a body or in claims, however deep. */
  deep<T>(value: T): T {
    if (typeof value === 'string') return this.text(value) as T;
    if (Array.isArray(value)) return value.map((one) => this.deep(one)) as T;
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.deep(one)])) as T;
  }

  #plain(source: string): string {
    return pieces(source)
      .map((piece) => (typeof piece === 'string' ? piece : this.#tag([piece])))
      .join('');
  }

  #tag(of: Piece[], filters = ''): string {
    return `{{ ${this.#chain(of)}${filters} }}`;
  }

  #chain([first, ...rest]: Piece[]): string {
    return [this.#operand(first!), ...rest.map((piece) => `append: ${this.#operand(piece)}`)].join(' | ');
  }

  #operand(piece: Piece): string {
    if (typeof piece === 'string') return JSON.stringify(piece);
    if ('ref' in piece) return generated(piece.ref) ?? this.name(piece.ref);
    return `${this.#chain(piece.of)} | ${functions[piece.call]!}`;
  }
}

/** `a ${f(${b}:c)}` is a literal and a function of a reference and a literal. */
function pieces(source: string): Piece[] {
  const found: Piece[] = [];
  let rest = source;
  while (rest !== '') {
    const start = rest.indexOf('${');
    if (start !== 0) found.push(start < 0 ? rest : rest.slice(0, start));
    if (start < 0) break;
    const end = closing(rest, start + 2);
    found.push(pieceOf(rest.slice(start + 2, end)));
    rest = rest.slice(end + 1);
  }
  return found;
}

function pieceOf(inner: string): Piece {
  const [, call, argument] = /^(\w+)\((.*)\)$/.exec(inner) ?? [];
  return call === undefined ? { ref: inner } : { call, of: pieces(argument!) };
}

/** Where the brace that opened before `from` is closed. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++;
    if (text[at] === '}' && --depth === 0) return at;
  }
  throw new Error(`a brace is not closed in ${text}`);
}
