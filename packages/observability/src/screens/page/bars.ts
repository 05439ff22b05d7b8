import { element, seeThrough, type Size } from './elements.ts';
import type { Bars } from './view.ts';

const nameHeight = 20;

/** Bars beside each other that grow upwards, or below each other that grow to the right. */
export function drawBars({ bars, isHorizontal }: Bars, into: HTMLElement, { width, height }: Size): void {
  const list = element('ol', isHorizontal ? 'across' : 'upright');
  list.style.width = `${width}px`;
  list.style.height = `${height}px`;
  for (const { name, number, suffix, color, share } of bars) {
    const track = element('div', 'track');
    const filled = element('div', 'filled');
    filled.style[isHorizontal ? 'width' : 'height'] = `${share * 100}%`;
    filled.style.background = `linear-gradient(to ${isHorizontal ? 'right' : 'top'}, ${seeThrough(color, 0.25)}, ${seeThrough(color, 0.85)})`;
    filled.style[isHorizontal ? 'borderRight' : 'borderTop'] = `2px solid ${color}`;
    track.append(filled);
    const value = element('b', '', `${number}${suffix}`);
    value.style.color = color;
    const label = element('span', 'name', name);
    label.style.height = `${nameHeight}px`;
    const item = element('li');
    item.append(...(isHorizontal ? [label, track, value] : [value, track, label]));
    list.append(item);
  }
  into.append(list);
}
