import uPlot from 'uplot';
import { ends, textColor, timeAxis, valueAxis } from './charts.ts';
import { element, type Size } from './elements.ts';
import { writeTicks, writeValue } from './units.ts';
import type { Heatmap } from './view.ts';

/** ColorBrewer's Oranges, the darkest first, as Grafana turns them on a dark page. */
const oranges = ['#7f2704', '#a63603', '#d94801', '#f16913', '#fd8d3c', '#fdae6b', '#fdd0a2', '#fee6ce', '#fff5eb'];
const scaleHeight = 24;

const channels = (color: string) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));

/** @param share 0 to 1. */
function colorOf(share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (oranges.length - 1);
  const [from = [], to = []] = [Math.floor(at), Math.ceil(at)].map((index) => channels(oranges[index] ?? '#000000'));
  const mixed = from.map((value, channel) => Math.round(value + ((to[channel] ?? value) - value) * (at % 1)));
  return `rgb(${mixed.join(' ')})`;
}

function paint(u: uPlot, { times, cells }: Heatmap, highest: number): void {
  const step = (times[1] ?? 0) - (times[0] ?? 0);
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [row, values] of cells.entries()) {
    const [bottom, top] = [row, row + 1].map((edge) => Math.round(u.valToPos(edge, 'y', true)));
    for (const [column, value] of values.entries()) {
      if (value === null || value <= 1e-9) continue;
      const [left, right] = [-step, 0].map((shift) => Math.round(u.valToPos((times[column] ?? 0) + shift, 'x', true)));
      ctx.fillStyle = colorOf(Math.sqrt(value / highest));
      ctx.fillRect(left ?? 0, top ?? 0, Math.max(1, (right ?? 0) - (left ?? 0) - 1), (bottom ?? 0) - (top ?? 0) - 1);
    }
  }
  ctx.restore();
}

/** What the colours mean. */
function drawScale(highest: number, into: HTMLElement): void {
  const scale = element('div', 'scale');
  const bar = element('i');
  const stops = Array.from({ length: 9 }, (_, index) => colorOf(Math.sqrt(index / 8)));
  bar.style.background = `linear-gradient(to right, ${stops.join(', ')})`;
  const ends = [0, highest].map((value) => {
    const { number, suffix } = writeValue(value, 'short');
    return element('span', '', `${number}${suffix}`);
  });
  scale.append(ends[0] ?? '', bar, ends[1] ?? '');
  into.append(scale);
}

/** How many fell into each bucket, over time; each bucket is as high as the others and named by its upper end. */
export function drawHeatmap(view: Heatmap, into: HTMLElement, { width, height }: Size): void {
  const highest = Math.max(...view.cells.flatMap((values) => values.map((value) => value ?? 0)));
  const chart = element('div');
  into.append(chart);
  const edges = view.bounds.length;
  const label = (edge: number) => {
    const bound = view.bounds[edge - 1];
    if (bound === undefined) return '';
    if (bound === Infinity) return '+Inf';
    return writeTicks([bound], view.unit, bound)[0] ?? '';
  };
  const every = Math.ceil(edges / ((height - 60) / 18));
  const axis = valueAxis((splits) => splits.map((split) => (split % every === 0 ? label(split) : '')));
  const options: uPlot.Options = {
    width,
    height: height - scaleHeight,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true, range: () => ends(view.times) }, y: { range: () => [0, edges] } },
    axes: [
      timeAxis(),
      {
        ...axis,
        stroke: textColor,
        splits: () => Array.from({ length: edges + 1 }, (_, at) => at),
        grid: { show: false },
      },
    ],
    series: [{}, { show: true, paths: () => null, points: { show: false } }],
    hooks: { draw: [(u) => paint(u, view, highest)] },
  };
  const data = [view.times, view.times.map(() => 0)] as unknown as uPlot.AlignedData;
  void new uPlot(options, data, chart);
  drawScale(highest, into);
}
