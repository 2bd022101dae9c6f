import { expect, type Row, seconds } from '../row';
import { elsewhere, refusedReads, renewNow } from './renewals';
import { callAfter } from './steps';

/** Retry-After as it is sent with one 429, and for how long the provider is to be left alone. */
const throttles: { name: string; throttle: object; leastMs: number }[] = [
  { name: 'seconds', throttle: { retry_after: 'seconds', seconds: 5 }, leastMs: 5_000 },
  { name: 'date', throttle: { retry_after: 'http_date', seconds: 6 }, leastMs: 5_000 }, // whole seconds: rounded down
  { name: 'absent', throttle: { retry_after: 'absent' }, leastMs: 250 },
  { name: 'nonsense', throttle: { retry_after: 'nonsense' }, leastMs: 250 },
  { name: 'absurd', throttle: { retry_after: 'absurd' }, leastMs: 300_000 }, // not asked again within this row
];

export const providerRows: Row[] = [
  {
    number: 23,
    inject: 'provider 500 from a renewal on, for a twentieth of the life',
    expected: 'no service sees it',
    run: async (scene) => {
      await scene.addBrokers(2);
      await scene.addClient('eu', { lifeSeconds: 40 });
      scene.reader.start(['eu'], [0, 1], 20);
      const [first] = await scene.calls('eu');
      const outage = await scene.inject.modes(['eu'], { outage: 500 });
      const failedAt = await callAfter(scene, 'eu', first!.at);
      await scene.pass(2_000);
      await scene.inject.endModes(outage);
      const healed = await scene.until(
        'renewed',
        () => scene.calls('eu'),
        (calls) => calls.at(-1)!.outcome === 'issued' && calls.length > 1,
      );
      const refused = scene.record.answers.filter(({ status }) => status !== 200).length;
      expect(refused === 0, `${refused} reads were refused`);
      const failures = healed.filter(({ outcome }) => outcome === 'outage').length;
      return `${failures} failures, healed ${seconds(healed.at(-1)!.at - failedAt)} after the first; ${scene.record.answers.length} reads, none refused`;
    },
  },
  {
    number: 24,
    inject: 'provider 500 past serveUntil',
    expected: '503 only then; heals alone',
    run: async (scene) => {
      await scene.addBroker();
      await scene.addClient('eu');
      const outage = await scene.inject.modes(['eu'], { outage: 500 });
      scene.reader.start(['eu'], [0], 20);
      const refused = await scene.until(
        'refused',
        () => scene.record.answers.find(({ status }) => status === 503),
        (seen) => seen !== undefined,
      );
      await scene.inject.endModes(outage);
      const healed = await scene.until(
        'healed',
        () => scene.record.answers.find(({ status, sentAt }) => status === 200 && sentAt > outage.to!),
        (seen) => seen !== undefined,
        60_000,
      );
      const { code, reason } = refused!;
      expect(code === 'token_unavailable' && reason === 'provider_unavailable', `refused as ${code}, ${reason}`);
      return `503 ${reason} once it was over, 200 again ${seconds(healed!.receivedAt - outage.to!)} after the outage`;
    },
  },
  {
    number: 25,
    inject: 'provider accepts and stays silent',
    expected: 'given up after 8 s; other providers unaffected',
    run: async (scene) => {
      await scene.addBroker();
      const [silent, others] = [
        ['s0', 's1', 's2'],
        ['o0', 'o1', 'o2'],
      ];
      for (const name of silent) await scene.addClient(name, { lifeSeconds: 60 });
      for (const name of others) await scene.addClient(name, { baseUrl: elsewhere(scene) });
      scene.reader.start([...silent, ...others], [0], 50);
      const silence = await scene.inject.modes(silent, { silence: true });
      const asked = await Promise.all(silent.map((name) => renewNow(scene, name)));
      const tookMs = asked.map(({ last_attempt }) => last_attempt!.duration_ms);
      await scene.pass(5_000); // the next ones are under way
      const { providers } = (await scene.mustAdmin('GET', '/v1/summary')).body;
      const calls = (await Promise.all(silent.map((name) => scene.calls(name)))).flat();
      await scene.inject.endModes(silence);
      for (const name of others) await callAfter(scene, name, silence.from);
      expect(
        asked.every(
          ({ outcome, last_attempt }) => outcome === 'failed' && last_attempt?.reason === 'provider_unavailable',
        ),
        `it came to ${JSON.stringify(asked)}`,
      );
      expect(
        tookMs.every((ms) => ms >= 7_500 && ms <= 10_000),
        `given up after ${tookMs.join(', ')} ms`,
      );
      expect(providers.length === 0, `a breaker is ${JSON.stringify(providers)}`);
      expect(calls.length <= 3 * 3, `${calls.length} calls`);
      expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads were refused`);
      return `given up after ${tookMs.map(seconds).join(', ')}; ${calls.length - 3} calls failed, breaker closed; ${scene.record.answers.length} reads, none refused; others renewed in time`;
    },
  },
  {
    number: 26,
    inject: '429 with Retry-After in seconds, as a date, absent, nonsense, absurd',
    expected: 'no call before it is due',
    run: async (scene) => {
      await scene.addBroker();
      const names = throttles.map(({ name }) => name);
      for (const name of names) await scene.addClient(name, { lifeSeconds: 60 });
      scene.reader.start(names, [0], 50);
      const begun = Date.now();
      for (const { name, throttle } of throttles) {
        const modes = await scene.inject.modes([name], { throttle: { ...throttle, times: 1 } });
        const { last_attempt } = await renewNow(scene, name);
        expect(last_attempt?.reason === 'throttled', `${name}: ${JSON.stringify(last_attempt)}`);
        scene.inject.end(modes);
        modes.delaysMs = 10_000;
      }
      await scene.pass(15_000);
      const seen: string[] = [];
      for (const { name, leastMs } of throttles) {
        const [throttled, next] = (await scene.calls(name)).filter(({ at }) => at >= begun);
        const waitedMs = (next?.at ?? Infinity) - throttled!.at;
        expect(throttled!.outcome === 'throttle', `${name}: the first call was ${throttled!.outcome}`);
        expect(waitedMs >= leastMs, `${name}: asked again after ${seconds(waitedMs)}`);
        if (leastMs < 15_000) expect(next?.outcome === 'issued', `${name}: not asked again`);
        seen.push(`${name}: ${next ? seconds(waitedMs) : 'not within 15 s'}`);
      }
      expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads were refused`);
      return `asked again after ${seen.join(', ')}; tokens served meanwhile`;
    },
  },
  {
    number: 27,
    inject: 'credentials refused',
    expected: 'slow probe; heals on edit without restart',
    run: async (scene) => {
      await scene.addBroker();
      await scene.addClient('eu', { lifeSeconds: 120 });
      const client = scene.client('eu');
      scene.reader.start(['eu'], [0], 50);
      const refused = scene.inject.begin('secret changed at the provider alone', { clients: ['eu'], extraCalls: 1 });
      const rotation: (typeof client.rotations)[number] = { provider: Date.now() };
      client.rotations.push(rotation);
      await scene.fleet.control('PUT', `/clients/${client.key}`, { secret: 'another' });
      await renewNow(scene, 'eu');
      await scene.until(
        'a second refusal confirms the first',
        async () => (await scene.mustAdmin('GET', '/v1/clients/eu')).body.condition,
        (condition) => condition === 'credentials_refused',
      );
      const confirmed = await scene.calls('eu');
      await scene.pass(28_000);
      const later = (await scene.calls('eu')).length - confirmed.length;
      const inputs = { base_url: scene.fleet.simulator.url, key: client.key, secret: 'another' };
      // Not tried first: it is the renewal that has to come.
      await scene.mustAdmin('PATCH', '/v1/clients/eu?verify=false', { inputs }, { 'if-match': '*' });
      const editedAt = Date.now();
      rotation.answered = editedAt;
      const healedMs = (await callAfter(scene, 'eu', editedAt - 50)) - editedAt;
      await scene.until(
        'fresh',
        async () => (await scene.mustAdmin('GET', '/v1/clients/eu')).body.condition,
        (condition) => condition === 'fresh',
      );
      scene.inject.end(refused);
      const refusals = confirmed.filter(({ outcome }) => outcome === 'refused').length;
      expect(refusals === 2, `${refusals} refusals before it was taken for certain`);
      expect(later === 0, `${later} calls in 28 s`);
      expect(healedMs <= 2_000, `renewed ${seconds(healedMs)} after the edit`);
      expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads were refused`);
      return `2 refusals, then no call for 28 s, the token served on; renewed ${seconds(Math.max(0, healedMs))} after the edit`;
    },
  },
];
