import type { Locale } from '@bunri/client';
import { words, type Words } from './words.ts';

/** The server writes the page in the language that this cookie names. */
const cookie = 'bunri-lang';
const yearS = 31_536_000;

/** The page's language, and the links that change it without leaving the page. @param onChange shows everything anew */
export function createLanguage(onChange: () => void): { lang(): Locale } {
  const root = document.documentElement;
  let lang: Locale = root.lang === 'en' ? 'en' : 'ko';
  for (const link of document.querySelectorAll<HTMLAnchorElement>('.languages a')) {
    link.addEventListener('click', (event) => {
      event.preventDefault();
      lang = link.lang === 'en' ? 'en' : 'ko';
      document.cookie = `${cookie}=${lang}; path=/; max-age=${yearS}; samesite=lax`;
      root.lang = lang;
      for (const other of document.querySelectorAll('.languages a')) other.removeAttribute('aria-current');
      link.setAttribute('aria-current', 'true');
      writeTexts(words[lang]);
      onChange();
    });
  }
  return { lang: () => lang };
}

/** What came from the server says by attributes which of the words it shows. */
function writeTexts(texts: Words): void {
  document.title = texts.title;
  for (const element of document.querySelectorAll<HTMLElement>('[data-word]')) {
    element.textContent = textOf(texts, element.dataset['word']);
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-label]')) {
    element.setAttribute('aria-label', textOf(texts, element.dataset['label']));
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-suggestion]')) {
    element.textContent = texts.suggestions[Number(element.dataset['suggestion'])] ?? '';
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-stage-name]')) {
    element.textContent = texts.stages[element.dataset['stageName'] ?? '']?.name ?? '';
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-stage-does]')) {
    element.textContent = texts.stages[element.dataset['stageDoes'] ?? '']?.does ?? '';
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>('a[href^="/items"]')) {
    link.href = `/items?lang=${document.documentElement.lang}`;
  }
}

function textOf(texts: Words, name: string | undefined): string {
  const text = (texts as unknown as Readonly<Record<string, unknown>>)[name ?? ''];
  return typeof text === 'string' ? text : '';
}
