import { escaped } from './chart';
import { readable } from './figures';

const width = 960;
const [left, right, top, step] = [270, 860, 50, 38];

/** Bars beside their names as plain SVG, the first one marked; readable on light and on dark ground. */
export function barChart(title: string, bars: { name: string; value: number; ours: boolean }[]): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const height = top + step * bars.length + 16;
  const lines = bars.map(({ name, value, ours }, i) => {
    const [y, length] = [top + i * step, ((right - left) * value) / most];
    return (
      `<text class="end" x="${left - 10}" y="${y + 18}">${escaped(name)}</text>` +
      `<rect class="${ours ? 'ours' : 'theirs'}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="26"/>` +
      `<text x="${(left + length + 8).toFixed(1)}" y="${y + 18}">${readable(value)}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-size: 15px; font-weight: 600 }
.end { text-anchor: end }
.ground { fill: #fff }
.ours { fill: #c2410c }
.theirs { fill: #3b82c4 }
@media (prefers-color-scheme: dark) {
  text { fill: #d6d6d6 }
  .ground { fill: #16181d }
  .ours { fill: #fb923c }
  .theirs { fill: #5a9bd8 }
}
</style>
<rect class="ground" width="${width}" height="${height}"/>
<text class="title" x="20" y="28">${escaped(title)}</text>
${lines.join('\n')}
</svg>
`;
}
