import { loadPresets } from './presets';

const presets = loadPresets();

describe('presets', () => {
  it('are valid, called as their id says, and cite their documentation', () => {
    expect([...presets.keys()]).toEqual(['capillary', 'oauth2-client-credentials']);
    for (const [id, { definition }] of presets) {
      expect(definition.id).toBe(id);
      expect(definition.docs).toMatch(/^https:\/\//);
    }
  });
});
