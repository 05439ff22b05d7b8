import type { Box } from './view.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** An element of a class, with a text where one is given. */
export function element(name: string, className = '', text = ''): HTMLElement {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}

/** A part of the page at its place. */
export function box({ left, top, width, height }: Box, className: string, children: readonly Node[]): HTMLElement {
  const made = element('section', className);
  Object.assign(made.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  made.append(...children);
  return made;
}

/** The colour `#rrggbb` so far see-through that its opacity is left, 0 to 1. */
export function seeThrough(color: string, opacity: number): string {
  return `${color}${Math.round(opacity * 255)
    .toString(16)
    .padStart(2, '0')}`;
}
