// Draws the dashboard that stands in `dashboard` onto the page; see draw.ts of the folder above.
import { drawFigure, drawLines } from './charts.ts';
import { box, element } from './elements.ts';
import { drawHeatmap } from './heatmap.ts';
import { drawBars } from './bars.ts';
import type { DashboardView, PanelView } from './view.ts';

/** Height of the line with the title. */
const titleHeight = 32;
const padding = 8;

function drawPanel(view: PanelView): void {
  if (view.kind === 'row') {
    document.body.append(box(view.box, 'row', [element('span', 'chevron', '⌄'), element('span', '', view.title)]));
    return;
  }
  const { width, height } = view.box;
  const inside = { width: width - 2 * padding - 2, height: height - titleHeight - padding - 2 };
  const body = element('div', `body ${view.kind}`);
  // A legend is measured where it stands.
  document.body.append(box(view.box, 'panel', [element('h2', '', view.title), body]));
  switch (view.kind) {
    case 'empty':
      body.append(element('span', 'nothing', 'No data'));
      break;
    case 'lines':
      drawLines(view, body, inside);
      break;
    case 'figure':
      drawFigure(view, body, { width, height });
      break;
    case 'heatmap':
      drawHeatmap(view, body, inside);
      break;
    case 'bars':
      drawBars(view, body, inside);
      break;
  }
}

async function draw({ title, remarks, panels, width, height }: DashboardView): Promise<void> {
  // Text on a canvas does not wait for its font.
  await Promise.all(
    ['400 12px Inter', '500 14px Inter', '600 40px Inter'].map(async (font) => await document.fonts.load(font)),
  );
  document.body.style.width = `${width}px`;
  document.body.style.height = `${height}px`;
  const [group = '', name = ''] = title.split(' / ', 2);
  const heading = element('h1', '', name === '' ? group : name);
  if (name !== '') heading.prepend(element('span', 'group', `${group}  ›  `));
  const all = remarks.map((remark) => element('span', 'remark', remark));
  const header = element('header');
  header.append(heading, ...all);
  document.body.append(header);
  for (const view of panels) drawPanel(view);
  // uPlot draws in a microtask of its own.
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  globalThis.isDrawn = true;
}

if (globalThis.dashboard) await draw(globalThis.dashboard);
