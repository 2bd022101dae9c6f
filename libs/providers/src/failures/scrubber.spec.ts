import fc from 'fast-check';
import { Secret } from '#vault';
import { Scrubber } from './scrubber';

const secret = 'p@ss "w/ü&<1>\\+x';
const scrubber = new Scrubber([new Secret(secret)]);

describe("a provider's words", () => {
  it.each([
    ['as it is', secret],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in JSON with \\u escapes', JSON.stringify(secret).slice(1, -1).replace('ü', '\\u00fc')],
    ['in a URL', encodeURIComponent(secret)],
    ['in a URL with lower-case escapes', encodeURIComponent(secret).toLowerCase()],
    ['in a form', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64url', Buffer.from(secret).toString('base64url')],
    ['in HTML', 'p@ss &quot;w/ü&amp;&lt;1&gt;\\+x'],
  ])('do not hold a secret %s', (_, form) => expect(scrubber.scrub(`bad: ${form}!`)).toBe('bad: [secret]!'));

  it.each([
    ['XML', 'it&apos;s&amp;!'],
    ['the query of a URL', new URL(`https://a.example/?${encodeURIComponent("it's&!")}`).search.slice(1)],
  ])("do not hold an apostrophe's secret as it is written in %s", (_, form) => {
    expect(new Scrubber([new Secret("it's&!")]).scrub(`bad: ${form}!`)).toBe('bad: [secret]!');
  });

  it('hold no control characters, no token, and at most 300 characters', () => {
    expect(scrubber.scrub('a\r\n\x1b[31mb\u202ec\0')).toBe('a [31mb c');
    expect(scrubber.scrub('token eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln expired')).toBe('token [token] expired');
    expect(scrubber.scrub('x'.repeat(999))).toHaveLength(300);
  });

  it('do not hold any secret of 4 characters or more, wherever it stands and whatever surrounds it', () => {
    const word = fc.stringMatching(/^[ -~]{4,20}$/).filter((text) => text.trim() === text && !/ {2}/.test(text));
    fc.assert(
      fc.property(word, fc.string(), fc.string(), (value, before, after) => {
        fc.pre(!'[secret][token]…'.includes(value));
        const words = new Scrubber([new Secret(value)]).scrub(`${before}${value}${after}`);
        // What is left may still spell it by chance, across a replacement; not with a secret that has none of its letters.
        fc.pre(!/[[\]secrtokn]/i.test(value));
        expect(words).not.toContain(value);
      }),
    );
  });
});
