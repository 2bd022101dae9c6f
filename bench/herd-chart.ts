import { svgChart } from './chart';
import { readable } from './figures';
import type { Herd } from './herd';

/** The life that the chart speaks of: that of the documented Capillary token. */
const spokenLifeSeconds = 300;

export function herdChart({ clients, ttlSeconds, callsPerSecond, twoCyclesSeconds, mean }: Herd): string {
  const scale = spokenLifeSeconds / ttlSeconds;
  const minutes = (callsPerSecond.length * scale) / 60;
  const everyMinutes = minutes > 30 ? 10 : 5;
  const xTicks = Array.from({ length: Math.floor(minutes / everyMinutes + 0.01) + 1 }, (_, i) => ({
    at: (i * everyMinutes * 60) / scale,
    text: `${i * everyMinutes} min`,
  }));
  return svgChart({
    title: `Provider calls per second: ${clients.toLocaleString('en-US')} clients started at once`,
    values: callsPerSecond,
    xTitle: `time as it would pass with tokens of ${spokenLifeSeconds} s (measured ${readable(scale)} times as fast, with tokens of ${ttlSeconds} s)`,
    yTitle: 'calls per second, as measured',
    xTicks,
    line: { at: mean, text: `mean ${readable(mean)}/s` },
    mark: { at: twoCyclesSeconds, text: 'two cycles' },
  });
}

export function herdText(herd: Herd): string {
  const { clients, ttlSeconds, callsPerSecond, twoCyclesSeconds, mean, peak } = herd;
  const scale = readable(spokenLifeSeconds / ttlSeconds);
  const lives = readable(callsPerSecond.length / ttlSeconds);
  return (
    `![Provider calls per second](herd.svg)\n\n` +
    `${clients.toLocaleString('en-US')} clients without a token, all due in the same moment, watched for ${lives} lives of their tokens. ` +
    `Everything runs ${scale} times as fast as it would with tokens of ${spokenLifeSeconds} s: they live ${ttlSeconds} s, and each second ` +
    `stands for ${scale}. A cycle is one renewal of everybody, 70 % of a life at most; after two of them (${twoCyclesSeconds} s) the ` +
    `highest second had ${peak.toLocaleString('en-US')} calls, ${readable(peak / mean)} times the mean of ${readable(mean)}.`
  );
}
