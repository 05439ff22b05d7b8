import uPlot from 'uplot';
import { element, seeThrough, type Size } from './elements.ts';
import { isBinary, writeTicks } from './units.ts';
import type { Figure, Line, Lines, Values } from './view.ts';

const font = '12px Inter';
export const textColor = 'rgba(204, 204, 220, 0.75)';
const gridColor = 'rgba(240, 250, 255, 0.09)';
/** Share of a panel's height that its legend may take, as in Grafana. */
const legendShare = 0.35;

/** Of the axis of time. */
const endShare = 0.04;

const twoDigits = (value: number) => String(value).padStart(2, '0');

/** The axis of time: clock times, with seconds where its steps have some. */
export function timeAxis(): uPlot.Axis {
  return {
    font,
    stroke: textColor,
    // Clock times with seconds are wider.
    space: (_, __, min, max) => (max - min > 300 ? 52 : 72),
    size: 26,
    gap: 6,
    grid: { stroke: gridColor, width: 1 },
    ticks: { stroke: gridColor, width: 1, size: 4 },
    incrs: [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600],
    values: (u, splits, __, ___, step) =>
      splits.map((split) => {
        // At the very end there is no room for the second half of a label.
        const { min = 0, max = 0 } = u.scales['x'] ?? {};
        if ((max ?? 0) - split < ((max ?? 0) - (min ?? 0)) * endShare) return '';
        const at = new Date(split * 1000);
        const minutes = `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
        return step % 60 === 0 ? minutes : `${minutes}:${twoDigits(at.getSeconds())}`;
      }),
  };
}

/** An axis of values, as wide as its longest label. */
export function valueAxis(labels: (splits: number[], step: number) => string[]): uPlot.Axis {
  return {
    font,
    stroke: textColor,
    gap: 6,
    grid: { stroke: gridColor, width: 1 },
    ticks: { show: false },
    space: 32,
    size(u, values) {
      u.ctx.font = font;
      const widest = Math.max(0, ...(values ?? []).map((text) => u.ctx.measureText(text).width));
      return Math.ceil(widest / uPlot.pxRatio) + 12;
    },
    values: (_, splits, __, ___, step) => labels(splits, step),
  };
}

const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power);

function valueAxisOf(unit: string): uPlot.Axis {
  const axis = valueAxis((splits, step) => writeTicks(splits, unit, step));
  return isBinary(unit) ? { ...axis, incrs: powersOfTwo } : axis;
}

/** The names below a chart. What has no room is counted. @returns its height, px. */
function drawLegend(lines: readonly Line[], into: HTMLElement, { width, height }: Size): number {
  const legend = element('ul', 'legend');
  legend.style.width = `${width}px`;
  into.append(legend);
  for (const { name, color } of lines) {
    const item = element('li', '', name);
    const dash = element('i');
    dash.style.background = color;
    item.prepend(dash);
    legend.append(item);
  }
  let hidden = 0;
  const rest = element('li');
  while (legend.offsetHeight > height * legendShare && legend.childElementCount > 1) {
    rest.remove();
    legend.lastElementChild?.remove();
    hidden += 1;
    rest.textContent = `and ${hidden} more`;
    legend.append(rest);
  }
  return legend.offsetHeight;
}

/** Indices of values that have no neighbour to be joined to: they are drawn as dots. */
function lonely(values: Values): number[] {
  const has = (index: number) => (values[index] ?? null) !== null;
  return values.flatMap((_, index) => (has(index) && !has(index - 1) && !has(index + 1) ? [index] : []));
}

function seriesOf({ name, color, values }: Line, index: number, view: Lines): uPlot.Series {
  const dots = lonely(values);
  return {
    label: name,
    stroke: color,
    width: view.lineWidth,
    ...(view.isStepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
    points: { show: dots.length > 0, size: 4, fill: color, stroke: color, filter: () => dots },
    // The others of a stack are filled down to the one below.
    ...(view.isStacked && index > 0 ? {} : { fill: seeThrough(color, view.fillOpacity) }),
  };
}

/** From 0 or from the given end on; with some room above what is not bounded. */
function rangeOf({ lines, min, max, limits }: Lines): [number, number] {
  const known = lines.flatMap(({ values }) => values.filter((value) => value !== null));
  const highest = Math.max(...known);
  const lowest = Math.min(...known);
  const low = min === null ? lowest : Math.min(min, lowest);
  if (max !== null) return [low, Math.max(max, highest)];
  // A limit is worth its room where the values come near it.
  const near = limits.map(({ value }) => value).filter((value) => value <= highest * 2);
  const high = Math.max(highest, ...near);
  return high > low ? [low, high + (high - low) * 0.1] : [low, low + 1];
}

function drawLimits(u: uPlot, { limits }: Lines): void {
  const { left, top, width, height } = u.bbox;
  for (const { value, color, isDashed } of limits) {
    const y = Math.round(u.valToPos(value, 'y', true));
    if (y < top || y > top + height) continue;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.strokeStyle = color;
    u.ctx.lineWidth = 2;
    u.ctx.setLineDash(isDashed ? [10, 10] : []);
    u.ctx.moveTo(left, y);
    u.ctx.lineTo(left + width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }
}

/** Lines over time, stacked or not. */
export function drawLines(view: Lines, into: HTMLElement, { width, height }: Size): void {
  const chart = element('div');
  into.append(chart);
  const legendHeight = view.hasLegend ? drawLegend(view.lines, into, { width, height }) : 0;
  const series = view.lines.map((line, index) => seriesOf(line, index, view));
  const bands = view.isStacked
    ? view.lines.slice(1).map(({ color }, index) => ({
        series: [index + 2, index + 1] as [number, number],
        fill: seeThrough(color, view.fillOpacity),
      }))
    : [];
  const data = [view.times, ...view.lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const options: uPlot.Options = {
    width,
    height: height - legendHeight,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true, range: () => ends(view.times) }, y: { range: () => rangeOf(view) } },
    axes: [timeAxis(), valueAxisOf(view.unit)],
    series: [{}, ...series],
    bands,
    hooks: { draw: [(u) => drawLimits(u, view)] },
  };
  return void new uPlot(options, data, chart);
}

export function ends(times: readonly number[]): [number, number] {
  return [times[0] ?? 0, times.at(-1) ?? 1];
}

/** A number, large, and how it came to be behind it. */
export function drawFigure(
  { number, suffix, color, times, values, min, max }: Figure,
  into: HTMLElement,
  size: Size,
): void {
  if (values.length > 0) {
    const known = values.filter((value) => value !== null);
    const low = Math.min(min ?? Infinity, ...known);
    const high = Math.max(max ?? -Infinity, ...known);
    const chart = element('div', 'spark');
    into.append(chart);
    const options: uPlot.Options = {
      width: size.width - 2,
      height: Math.round(size.height * 0.42),
      padding: [4, 0, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { range: () => ends(times) }, y: { range: () => [low, high > low ? high * 1.05 : low + 1] } },
      axes: [{ show: false }, { show: false }],
      series: [{}, { stroke: color, width: 1, fill: seeThrough(color, 0.2), points: { show: false } }],
    };
    void new uPlot(options, [times, values] as unknown as uPlot.AlignedData, chart);
  }
  const value = element('strong', '', number);
  value.style.color = color;
  value.append(element('small', '', suffix));
  into.append(value);
}
