import type { QueueState } from './answers.ts';
import { span, type OpsWords } from './words.ts';

const namespace = 'http://www.w3.org/2000/svg';

export type StageState = keyof OpsWords['states'];

export interface StageView extends QueueState {
  readonly perMinute: number | null;
}

/** How a stage is doing, the worst first. */
export function stateOf({ paused, workers, slots, jobs }: QueueState): StageState {
  if (workers === 0 && jobs.waiting + jobs.active > 0) return 'unserved';
  if (paused) return 'paused';
  if (jobs.waiting > 0 && slots > 0 && jobs.active >= slots) return 'full';
  return jobs.active > 0 || jobs.waiting > 0 ? 'working' : 'idle';
}

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly gap: number;
  readonly isDown: boolean;
}
const across: Layout = { width: 214, height: 150, gap: 48, isDown: false };
const down: Layout = { width: 340, height: 150, gap: 34, isDown: true };
/** How far a sibling is set in where the pipeline goes down, so that the arrow passes it. */
const indent = 44;

/**
 * The pipeline as a picture: a box a stage, an arrow from each to the next. A sibling, which some requests go by instead or
 * as well, hangs below the stage that it is named for. The table below the picture says the same in words.
 */
export function drawPipeline(stages: readonly StageView[], words: OpsWords, lang: 'ko' | 'en', isNarrow: boolean) {
  const layout = isNarrow ? down : across;
  const placed = placeStages(stages, layout);
  const size = [
    Math.max(...placed.map(({ x, width }) => x + width)),
    Math.max(...placed.map(({ y }) => y + layout.height)),
  ];
  const said = stages.map((stage) => `${nameOf(stage, words)}: ${words.states[stateOf(stage)]}`).join(', ');
  const boxes = placed.map(({ stage, x, y, width }) => {
    const box = drawStage(stage, words, lang, { ...layout, width });
    box.setAttribute('transform', `translate(${x} ${y})`);
    return box;
  });
  const picture = shape('svg', {
    viewBox: `0 0 ${size.join(' ')}`,
    role: 'img',
    'aria-label': said,
    class: 'pipeline',
  });
  picture.append(...drawPaths(placed, layout), ...boxes);
  return picture;
}

export interface PlacedStage<Stage = StageView> {
  readonly stage: Stage;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  /** The lower edge of the stage that it is a sibling of; null for a stage of its own. */
  readonly hangsFrom: number | null;
}

/** Stages in their order, and a sibling (`vision.local` of `vision`) with its stage. What has no such stage stands for itself. */
export function placeStages<Stage extends { readonly name: string }>(
  stages: readonly Stage[],
  { width, height, gap, isDown }: Layout,
): PlacedStage<Stage>[] {
  const ownerOf = ({ name }: Stage) => stages.find((other) => name.startsWith(`${other.name}.`));
  let at = 0;
  return stages
    .filter((stage) => !ownerOf(stage))
    .flatMap((stage) => {
      const start = at;
      const siblings = stages.filter((other) => ownerOf(other) === stage);
      at += (isDown ? height * (1 + siblings.length) + gap * siblings.length : width) + gap;
      const [x, y] = isDown ? [0, start] : [start, 0];
      const inset = isDown ? indent : 0;
      return [
        { stage, x, y, width, hangsFrom: null },
        ...siblings.map((sibling, i) => ({
          stage: sibling,
          x: x + inset,
          y: y + (i + 1) * (height + gap),
          width: width - inset,
          hangsFrom: y + height,
        })),
      ];
    });
}

function nameOf({ name }: QueueState, words: OpsWords): string {
  return words.names[name] ?? name;
}

function drawStage(stage: StageView, words: OpsWords, lang: 'ko' | 'en', { width, height }: Layout): SVGElement {
  const { jobs, slots, perMinute, oldest_waiting_seconds: oldest } = stage;
  const state = stateOf(stage);
  const inside = width - 32;
  const share = slots === 0 ? 0 : Math.min(1, jobs.active / slots);
  const group = shape('g', { class: 'box', 'data-state': state });
  group.append(
    shape('rect', { class: 'frame', x: 1, y: 1, width: width - 2, height: height - 2, rx: 16 }),
    text(nameOf(stage, words), { x: 16, y: 27, class: 'name' }),
    text(words.states[state], { x: 16, y: 47, class: 'state' }),
    text(String(jobs.waiting), { x: 16, y: 87, class: 'depth' }),
    text(jobs.waiting === 0 ? words.waiting : `${words.waiting} · ${span(oldest, lang)}`, {
      x: 16 + 18 * String(jobs.waiting).length + 8,
      y: 87,
      class: 'small',
    }),
    shape('rect', { class: 'slots', x: 16, y: 101, width: inside, height: 10, rx: 5 }),
    shape('rect', { class: 'taken', x: 16, y: 101, width: inside * share, height: 10, rx: 5 }),
    text(`${jobs.active} / ${slots}`, { x: 16, y: 133, class: 'small' }),
    text(perMinute === null ? '' : words.perMinute(perMinute.toFixed(perMinute < 10 ? 1 : 0)), {
      x: width - 16,
      y: 133,
      class: 'small end',
    }),
  );
  return group;
}

function drawPaths(placed: readonly PlacedStage[], { height, isDown, gap }: Layout): SVGElement[] {
  const main = placed.filter(({ hangsFrom }) => hangsFrom === null);
  const hasSiblings = placed.length > main.length;
  const arrows = main.slice(1).map(({ x, y, width }, i) => {
    const before = main[i];
    if (!isDown) return drawArrow(x - gap + 6, x - 8, height / 2, false);
    return drawArrow((before?.y ?? 0) + height + 6, y - 8, hasSiblings ? indent / 2 : width / 2, true);
  });
  const hung = placed.flatMap(({ x, y, width, hangsFrom }) =>
    hangsFrom === null ? [] : [shape('path', { class: 'arrow sibling', d: `M${x + width / 2} ${hangsFrom}V${y}` })],
  );
  return [...hung, ...arrows];
}

function drawArrow(from: number, tip: number, middle: number, isDown: boolean): SVGElement {
  const back = tip - 9;
  const path = isDown
    ? `M${middle} ${from}V${tip}M${middle - 7} ${back}L${middle} ${tip}L${middle + 7} ${back}`
    : `M${from} ${middle}H${tip}M${back} ${middle - 7}L${tip} ${middle}L${back} ${middle + 7}`;
  return shape('path', { class: 'arrow', d: path });
}

function shape(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS(namespace, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  return element;
}

function text(content: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = shape('text', attributes);
  element.textContent = content;
  return element;
}
