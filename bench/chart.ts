export interface Chart {
  title: string;
  /** One bar each, from left to right. */
  values: number[];
  xTitle: string;
  yTitle: string;
  /** What stands below the axis at so many values from the left. */
  xTicks: { at: number; text: string }[];
  /** Across the whole width. */
  line: { at: number; text: string };
  /** From top to bottom, at so many values from the left. */
  mark: { at: number; text: string };
}

const [width, height] = [960, 400];
const plot = { left: 70, right: width - 20, top: 50, bottom: height - 60 };

/** Bars over time as plain SVG, readable on light and on dark ground. */
export function svgChart({ title, values, xTitle, yTitle, xTicks, line, mark }: Chart): string {
  const step = niceStep(Math.max(...values) / 5);
  const top = Math.ceil(Math.max(...values) / step) * step;
  const x = (at: number): string => (plot.left + ((plot.right - plot.left) * at) / values.length).toFixed(1);
  const y = (value: number): string => (plot.bottom - ((plot.bottom - plot.top) * value) / top).toFixed(1);
  const outline = values.map((value, i) => `H${x(i)}V${y(value)}H${x(i + 1)}`).join('');
  const gridLines = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step).map(
    (value) =>
      `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${y(value)}" y2="${y(value)}"/>` +
      `<text class="end" x="${plot.left - 8}" y="${y(value)}" dy="4">${value.toLocaleString('en-US')}</text>`,
  );
  const ticks = xTicks.map(
    ({ at, text }) =>
      `<line class="axis" x1="${x(at)}" x2="${x(at)}" y1="${plot.bottom}" y2="${plot.bottom + 5}"/>` +
      `<text class="middle" x="${x(at)}" y="${plot.bottom + 20}">${escaped(text)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-size: 15px; font-weight: 600 }
.end { text-anchor: end }
.middle { text-anchor: middle }
.ground { fill: #fff }
.values { fill: #3b82c4 }
.grid { stroke: #ddd }
.axis { stroke: #555 }
.mean { stroke: #c2410c; stroke-width: 1.5 }
.mark { stroke: #555; stroke-dasharray: 5 4 }
.told { fill: #c2410c }
@media (prefers-color-scheme: dark) {
  text { fill: #d6d6d6 }
  .ground { fill: #16181d }
  .values { fill: #5a9bd8 }
  .grid { stroke: #343a44 }
  .axis, .mark { stroke: #9aa0aa }
  .mean { stroke: #fb923c }
  .told { fill: #fb923c }
}
</style>
<rect class="ground" width="${width}" height="${height}"/>
<text class="title" x="${plot.left}" y="26">${escaped(title)}</text>
${gridLines.join('\n')}
<path class="values" d="M${x(0)} ${y(0)}${outline}V${y(0)}Z"/>
<line class="axis" x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}"/>
${ticks.join('\n')}
<line class="mark" x1="${x(mark.at)}" x2="${x(mark.at)}" y1="${plot.top}" y2="${plot.bottom}"/>
<text x="${x(mark.at)}" y="${plot.top}" dx="6" dy="-6">${escaped(mark.text)}</text>
<line class="mean" x1="${plot.left}" x2="${plot.right}" y1="${y(line.at)}" y2="${y(line.at)}"/>
<text class="told end" x="${plot.right}" y="${plot.top}" dy="-6">${escaped(line.text)}</text>
<text class="middle" x="${(plot.left + plot.right) / 2}" y="${height - 14}">${escaped(xTitle)}</text>
<text class="middle" transform="translate(18 ${(plot.top + plot.bottom) / 2}) rotate(-90)">${escaped(yTitle)}</text>
</svg>
`;
}

/** 1, 2 or 5 times a power of ten, not below. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least || 1));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least)!;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
