import type { Resource } from '@bunri/client';
import { make } from './elements.ts';
import type { Page } from './page.ts';
import type { Words } from './words.ts';

/** What a reader must know before going by an answer: that it is an estimate, a fallback's, or made up. */
export function remarkTexts({ classification, stages, cached }: Resource, words: Words): string[] {
  const engines = stages.map(({ engine }) => engine?.provider);
  const fallbacks = stages.flatMap(({ name, degraded }) =>
    degraded === null ? [] : [words.degraded(words.stages[name]?.name ?? name, words.whyDegraded(degraded))],
  );
  return [
    ...(classification?.engine.provider === 'local' ? [words.estimate] : []),
    ...(classification?.engine.provider === 'simulator' || engines.includes('simulator') ? [words.simulated] : []),
    ...(engines.includes('rules') ? [words.byRules] : []),
    ...fallbacks,
    ...(cached ? [words.fromCache] : []),
  ];
}

export function remarksOn(resource: Resource, page: Page): HTMLElement[] {
  const texts = remarkTexts(resource, page.words());
  return texts.length === 0 ? [] : [make('ul', { class: 'remarks' }, ...texts.map((text) => make('li', {}, text)))];
}
