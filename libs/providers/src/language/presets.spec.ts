import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadPresets } from './presets';

describe('presets', () => {
  it('are valid, called as their file, and cite their documentation', () => {
    const files = readdirSync(join(__dirname, '../../presets')).map((file) => file.replace('.yaml', ''));
    const presets = loadPresets();
    expect([...presets.keys()].sort()).toEqual(files.sort());
    for (const { definition } of presets.values()) expect(definition.docs).toMatch(/^https:\/\//);
  });

  it('can be filled in by somebody who knows the vendor and not the protocol: each has a title, and each input too', () => {
    for (const { definition } of loadPresets().values()) {
      expect(definition.title).toBeTruthy();
      for (const [name, { title }] of Object.entries(definition.inputs))
        expect([name, title ?? '']).toEqual([name, expect.stringMatching(/./)]);
    }
  });
});
