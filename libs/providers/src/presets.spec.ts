import { loadPresets } from './presets';
import { isTokenInvalid } from './token-invalid';

const presets = loadPresets();

describe('presets', () => {
  it('are valid, called as their id says, and cite their documentation', () => {
    expect([...presets.keys()]).toEqual(['capillary', 'oauth2-client-credentials']);
    for (const [id, definition] of presets) {
      expect(definition.id).toBe(id);
      expect(definition.docs).toMatch(/^https:\/\//);
    }
  });

  it.each([
    [401, undefined, true],
    [498, undefined, true],
    [200, { status: { code: '401', message: 'Unauthorized' } }, true],
    [200, { status: { code: 498 } }, true],
    [200, { response: { status: { code: '498' } } }, true],
    [200, { status: { code: 200 } }, false],
    [403, { status: { code: '403' } }, false],
    [500, undefined, false],
  ])('of Capillary take HTTP %d with body %j for an invalid token: %p', (status, body, invalid) => {
    expect(isTokenInvalid(presets.get('capillary')!, { status, body })).toBe(invalid);
  });

  it('that do not say when a token is invalid go by HTTP 401 alone', () => {
    const oauth = presets.get('oauth2-client-credentials')!;
    expect([401, 403, 498].map((status) => isTokenInvalid(oauth, { status, body: undefined }))).toEqual([
      true,
      false,
      false,
    ]);
  });
});
