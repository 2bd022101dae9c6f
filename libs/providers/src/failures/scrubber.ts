import type { Secret } from '#vault';
import { formEncoded } from '../templates/text';

const maxChars = 300;
/** Shorter values are left: replacing every "a" would hide nothing and garble all. */
const minSecretChars = 4;

/** Makes a provider's words fit to be shown: no control characters, none of the client's secrets, at most 300 characters. */
export class Scrubber {
  readonly #forms = new Map<string, RegExp | undefined>();

  constructor(secrets: Iterable<Secret>) {
    for (const secret of secrets) this.add(secret.reveal());
  }

  /** Another text that must not be shown: a token, or a header which carries a secret. */
  add(secret: string): void {
    if (secret.length < minSecretChars) return;
    for (const form of formsOf(secret)) if (form.length >= minSecretChars) this.#forms.set(flat(form), undefined);
  }

  scrub(words: string, limitChars = maxChars): string {
    // Flattened first, so that no secret appears once a control character inside it is gone.
    let text = flat(words);
    // The longest first: one form may be part of another.
    for (const [form, pattern] of this.#patterns()) {
      // Compiling a pattern is what costs: each at most once, and none that the text is too short to hold.
      if (form.length <= text.length) text = text.replace(pattern(), '[secret]');
    }
    // No token of anyone's is worth quoting. The look-behind keeps the search linear.
    text = text.replace(/(?<![\w-])eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)*/g, '[token]');
    return text.length > limitChars ? `${text.slice(0, limitChars - 1)}…` : text;
  }

  #patterns(): [form: string, pattern: () => RegExp][] {
    const forms = [...this.#forms.keys()].sort((a, b) => b.length - a.length);
    return forms.map((form) => [
      form,
      () => {
        const pattern = this.#forms.get(form) ?? new RegExp(form.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'), 'gi');
        this.#forms.set(form, pattern);
        return pattern;
      },
    ]);
  }
}

function flat(text: string): string {
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
  return [
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
  ];
}
