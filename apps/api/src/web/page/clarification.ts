import type { Resource, Said } from '@bunri/client';
import { button, make } from './elements.ts';
import type { Page } from './page.ts';

/** The question back, where it is not certain what the thing is, with its answers as buttons. */
export function clarifyChoices(
  { clarification, locale }: Resource,
  page: Page,
  choose: (said: Said) => void,
  none: () => void,
): HTMLElement[] {
  if (!clarification) return [];
  const words = page.words();
  const options = clarification.options.map(({ item_id: itemId, label, waste_category: bin }) => {
    const element = button('', 'chip', () => choose({ itemId }));
    element.append(make('strong', { lang: locale }, label), ' ', make('span', { class: 'does' }, words.bins[bin]));
    return make('li', {}, element);
  });
  return [
    make(
      'section',
      { class: 'clarify', 'aria-labelledby': 'clarify' },
      make('h3', { id: 'clarify', lang: locale }, clarification.question),
      make('p', { class: 'note' }, words.clarifyHint),
      make('ul', { class: 'choices' }, ...options, make('li', {}, button(words.noneOfThese, 'quiet', none))),
    ),
  ];
}
