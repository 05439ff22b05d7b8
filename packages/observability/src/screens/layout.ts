import type { Box } from './page/view.ts';

/** Grafana's grid: columns of a dashboard, the height of a cell and what is between two, px. */
const grid = { columns: 24, cell: 30, gap: 8 };
export const pageWidth = 1400;
export const headerHeight = 60;
const margin = 16;

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** Where a panel of this place in the grid stands on the page. */
export function boxOf({ x, y, w, h }: Place): Box {
  const column = (pageWidth - 2 * margin + grid.gap) / grid.columns;
  const left = Math.round(margin + x * column);
  return {
    left,
    top: headerHeight + y * (grid.cell + grid.gap),
    width: Math.round(margin + (x + w) * column - grid.gap) - left,
    height: h * (grid.cell + grid.gap) - grid.gap,
  };
}

/** Of a page that has room for all of them. */
export function pageHeight(places: readonly Place[]): number {
  const bottoms = places.map(boxOf).map(({ top, height }) => top + height);
  return Math.max(headerHeight, ...bottoms) + margin;
}
