import type { Secret } from '#vault';
import { formEncoded } from '../templates/text';

const maxChars = 300;
/** Shorter values are left: replacing every "a" would hide nothing and garble all. */
const minSecretChars = 4;

/** Where nothing has to be flattened. */
const visible = /^[\x21-\x7e]*$/;

/** Makes a provider's words fit to be shown: no control characters, none of the client's secrets, at most 300 characters. */
export class Scrubber {
  /** With the forms of each once they were needed: most requests go well, and have next to nothing to be scrubbed. */
  readonly #secrets = new Map<string, string[] | undefined>();
  readonly #patterns = new Map<string, RegExp>();

  constructor(secrets: Iterable<Secret>) {
    for (const secret of secrets) this.add(secret.reveal());
  }

  /** Another text that must not be shown: a token, or a header which carries a secret. */
  add(secret: string): void {
    if (secret.length >= minSecretChars && !this.#secrets.has(secret)) this.#secrets.set(secret, undefined);
  }

  scrub(words: string, limitChars = maxChars): string {
    if (words === '') return '';
    // Flattened first, so that no secret appears once a control character inside it is gone.
    let text = flat(words);
    // The longest first: one form may be part of another.
    for (const form of this.#formsUpTo(text.length)) {
      if (mayHold(text, form)) text = text.replace(this.#pattern(form), '[secret]');
    }
    // No token of anyone's is worth quoting. The look-behind keeps the search linear.
    text = text.replace(/(?<![\w-])eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)*/g, '[token]');
    return text.length > limitChars ? `${text.slice(0, limitChars - 1)}…` : text;
  }

  /** Of those secrets that a text of this length can hold. No form of visible characters is shorter than they are. */
  #formsUpTo(chars: number): string[] {
    const all = new Set<string>();
    for (const [secret, known] of this.#secrets) {
      if (secret.length > chars && visible.test(secret)) continue;
      const forms =
        known ??
        formsOf(secret)
          .map(flat)
          .filter((form) => form !== '');
      if (!known) this.#secrets.set(secret, forms);
      for (const form of forms) all.add(form);
    }
    return [...all].sort((a, b) => b.length - a.length);
  }

  /** Compiling is what costs: each at most once. */
  #pattern(form: string): RegExp {
    const pattern = this.#patterns.get(form) ?? new RegExp(form.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'), 'gi');
    this.#patterns.set(form, pattern);
    return pattern;
  }
}

/** Cheaper than a pattern, and never wrongly no. */
function mayHold(text: string, form: string): boolean {
  if (form.length > text.length) return false;
  return !visible.test(form) || text.toLowerCase().includes(form.toLowerCase());
}

function flat(text: string): string {
  if (visible.test(text)) return text;
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Surrogate}\u2028\u2029]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The ways in which a provider, or the library in between, may write the value back. */
function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64');
  const html = secret.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
  const json = JSON.stringify(secret).slice(1, -1);
  const forms = new Set([
    secret,
    json,
    json.replace(/\//g, '\\/'),
    json.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
    encodeURIComponent(secret),
    // As `new URL` writes it in a query.
    encodeURIComponent(secret).replace(/'/g, '%27'),
    encodeURI(secret),
    formEncoded(secret),
    base64,
    base64.replace(/=+$/, ''),
    Buffer.from(secret).toString('base64url'),
    html,
    html.replace(/'/g, '&#39;'),
    html.replace(/'/g, '&#x27;'),
    html.replace(/'/g, '&apos;'),
  ]);
  return [...forms].filter((form) => form.length >= minSecretChars);
}
