import type { Item, Said } from '@bunri/client';
import { button, fill, make } from './elements.ts';
import type { Page } from './page.ts';
import { troubleOf, troubleText } from './trouble.ts';

/** So long nothing is typed before the catalogue is asked. */
const restMs = 250;
const most = 8;

/** A field to find what the thing really is, and the items that match. @param choose is told what the person says */
export function correctionForm(page: Page, choose: (said: Said) => void, close: () => void): HTMLElement {
  const words = page.words();
  const field = make('input', {
    id: 'correct',
    type: 'search',
    maxlength: 100,
    placeholder: words.correctHint,
    autocomplete: 'off',
    enterkeyhint: 'search',
  });
  const note = make('p', { class: 'note' });
  const list = make('ul', { class: 'choices' });
  const form = make(
    'form',
    { class: 'correction', role: 'search' },
    make('h3', {}, words.correctHeading),
    make('label', { for: 'correct' }, words.correctLabel),
    field,
    note,
    list,
    button(words.close, 'quiet', close),
  );
  let searching = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function search(): Promise<void> {
    searching.abort();
    searching = new AbortController();
    const { signal } = searching;
    const q = field.value.trim();
    if (q === '') {
      fill(list);
      fill(note);
      return;
    }
    try {
      const { items } = await page.client.items({ q, locale: page.lang(), limit: most }, { signal });
      show(q, items);
    } catch (error) {
      if (!signal.aborted) tell(troubleText(troubleOf(error), words));
    }
  }

  function show(q: string, items: readonly Item[]): void {
    tell(items.length === 0 ? words.notFound : words.found(items.length));
    const own = make(
      'li',
      {},
      button(words.useWords(q), 'quiet', () => choose({ text: q })),
    );
    fill(list, ...items.map((item) => make('li', {}, itemButton(item))), own);
  }

  function itemButton({ id, name, waste_category_name: bin, subcategory }: Item): HTMLElement {
    const element = button('', 'chip', () => choose({ itemId: id }));
    const where = page.lang() === 'ko' ? `${bin} · ${subcategory}` : bin;
    element.append(make('strong', {}, name), ' ', make('span', { class: 'does' }, where));
    return element;
  }

  function tell(text: string): void {
    fill(note, text);
    page.announce(text);
  }

  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => void search(), restMs);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(timer);
    void search();
  });
  fill(note);
  fill(list);
  return form;
}
