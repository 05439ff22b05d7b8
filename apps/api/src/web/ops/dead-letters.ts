import { button, fill, make } from '../page/elements.ts';
import type { DeadLetter } from './answers.ts';
import { span, type OpsWords } from './words.ts';

/** The failed requests with a button each. */
export interface DeadLetterList {
  show(letters: readonly DeadLetter[], more: boolean, words: OpsWords, lang: 'ko' | 'en'): void;
  /** In another language: all is written anew. */
  forget(): void;
}

interface Row {
  readonly element: HTMLElement;
  readonly age: HTMLElement;
}

/**
 * Rows stay the same elements as long as their request is there, so that what somebody has focused is not replaced under
 * them every few seconds. @param retry is told an id; true where the request is no dead letter any more
 */
export function createDeadLetterList(list: HTMLElement, retry: (id: string) => Promise<boolean>): DeadLetterList {
  const rows = new Map<string, Row>();
  const body = make('tbody');
  const gone = new Set<string>();

  function write({ id, owner, code, stage, attempts }: DeadLetter, words: OpsWords): Row {
    const age = make('td');
    const again = button(words.retry, 'quiet', () => {
      void retryRow(id, again);
    });
    again.setAttribute('aria-label', `${words.retry}: ${id}`);
    const where = stage === null ? '' : (words.names[stage] ?? stage);
    const element = make(
      'tr',
      { 'data-id': id },
      // First what is done about it: on a phone the rest is scrolled to.
      make('td', {}, again),
      age,
      make('td', {}, make('code', {}, code), where === '' ? null : ` · ${where}`),
      make('td', {}, String(attempts)),
      make('td', {}, owner),
      make('th', { scope: 'row' }, make('code', {}, id)),
    );
    return { element, age };
  }

  async function retryRow(id: string, again: HTMLButtonElement): Promise<void> {
    // Disabled, it would lose the focus.
    if (again.getAttribute('aria-disabled') === 'true') return;
    again.setAttribute('aria-disabled', 'true');
    const isGone = await retry(id);
    again.removeAttribute('aria-disabled');
    if (!isGone) return;
    // A look that is on its way may still have it.
    gone.add(id);
    const row = rows.get(id)?.element;
    const next = row?.nextElementSibling ?? row?.previousElementSibling;
    rows.delete(id);
    row?.remove();
    (next?.querySelector('button') ?? list.closest('section')?.querySelector('h2'))?.focus();
  }

  return {
    show(letters, more, words, lang) {
      const shown = letters.filter(({ id }) => !gone.has(id));
      for (const id of gone) if (!letters.some((letter) => letter.id === id)) gone.delete(id);
      for (const letter of shown) {
        const row = rows.get(letter.id) ?? write(letter, words);
        rows.set(letter.id, row);
        row.age.textContent = words.ago(span(letter.age_seconds, lang));
      }
      for (const id of rows.keys()) if (!shown.some((letter) => letter.id === id)) remove(id);
      place(shown.map(({ id }) => rows.get(id)?.element));
      if (shown.length === 0) {
        fill(list, make('p', { class: 'note' }, words.noDeadLetters));
        return;
      }
      if (!body.isConnected) fill(list, frame(words));
      list.querySelector('.more')?.remove();
      if (more) list.append(make('p', { class: 'note more' }, words.more(shown.length)));
    },
    forget() {
      rows.clear();
      body.replaceChildren();
      list.replaceChildren();
    },
  };

  function remove(id: string): void {
    rows.get(id)?.element.remove();
    rows.delete(id);
  }

  /** Only what stands elsewhere is moved: moving takes the focus away. */
  function place(wanted: readonly (HTMLElement | undefined)[]): void {
    wanted.forEach((element, i) => {
      const there = body.children[i] ?? null;
      if (element && there !== element) body.insertBefore(element, there);
    });
  }

  function frame(words: OpsWords): HTMLElement {
    const heads = [words.action, words.failedAt, words.why, words.attempts, words.owner, words.request];
    const head = make('thead', {}, make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text))));
    const attributes = { class: 'scrolls', role: 'region', 'aria-label': words.deadLetters, tabindex: 0 };
    return make('div', attributes, make('table', {}, head, body));
  }
}
