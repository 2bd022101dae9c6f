import { loadPresets } from './presets';

describe('presets', () => {
  it('are valid, called as their id says, and cite their documentation', () => {
    for (const [id, { definition }] of loadPresets()) {
      expect(definition.id).toBe(id);
      expect(definition.docs).toMatch(/^https:\/\//);
    }
  });
});
