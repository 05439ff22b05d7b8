import { catalogue, categoryNames, itemById, sources, type Item, type Rule } from '@bunri/knowledge';
import type { Locale, WasteCategory } from '@bunri/queue-contracts';
import { markup, type Html } from './markup.ts';
import { pageWords } from './items-words.ts';

const kinds = ['step', 'condition', 'prohibition', 'exception', 'confusion'] as const satisfies readonly Rule['kind'][];
const sourceById = new Map(sources.map((source) => [source.id, source]));

/** The page with one item on it. */
export function itemHref(id: string, locale: Locale): string {
  return `/items?${new URLSearchParams({ item: id, lang: locale }).toString()}`;
}

/** The collection stream as people know it; in English with the Korean term, which is what stands on the bins. */
export function streamName(
  { wasteCategory, subcategory }: Pick<Item, 'wasteCategory' | 'subcategory'>,
  locale: Locale,
): string {
  if (locale === 'ko') return subcategory;
  const group = catalogue.groups.find(
    (one) => one.wasteCategory === wasteCategory && one.subcategories.includes(subcategory),
  );
  return group ? `${group.names.en} (${subcategory})` : subcategory;
}

/** Text of a page in this language, with the Korean terms of an English one marked for whoever has it read aloud. */
export function spoken(text: string, locale: Locale): Html {
  if (locale === 'ko') return markup`${text}`;
  const pieces = text.split(/([가-힣]+(?:[ ·]+[가-힣]+)*)/);
  return markup`${pieces.map((piece, i) => (i % 2 === 1 ? markup`<span lang="ko">${piece}</span>` : piece))}`;
}

/** An item with all its rules, to be opened and closed without a script. */
export function itemCard(item: Item, locale: Locale, { open }: { open: boolean }): Html {
  const words = pageWords[locale];
  const aliases = item.aliases[locale];
  const lists = kinds.map((kind) => {
    const rules = item.rules.filter((rule) => rule.kind === kind);
    if (rules.length === 0) return null;
    const entries = rules.map((rule) => markup`<li>${ruleEntry(rule, locale)}</li>`);
    // Steps are taken in their order; of the rest none comes first.
    const list = kind === 'step' ? markup`<ol>${entries}</ol>` : markup`<ul>${entries}</ul>`;
    return markup`<h4>${words.kinds[kind]}</h4>${list}`;
  });
  return markup`<details id="${item.id}"${open ? markup` open` : null}>
<summary><h3>${item.names[locale]}</h3></summary>
<p><strong>${binName(item.wasteCategory, locale)}</strong> · ${words.stream}: ${spoken(streamName(item, locale), locale)}</p>
${aliases.length > 0 ? markup`<p>${words.alsoCalled}: ${aliases.join(', ')}</p>` : null}
${lists}
</details>
`;
}

export function binName(category: WasteCategory, locale: Locale): string {
  return categoryNames[category][locale];
}

function ruleEntry(rule: Rule, locale: Locale): Html {
  const group = rule.to === undefined ? undefined : catalogue.groups.find(({ id }) => id === rule.to);
  const other = rule.item === undefined ? undefined : itemById(rule.item);
  const place = group && `${binName(group.wasteCategory, locale)} · ${group.names[locale]}`;
  const goes = place === undefined ? null : markup` <strong>${pageWords[locale].goesTo}: ${place}</strong>`;
  const link = other ? markup` <a href="${itemHref(other.id, locale)}">${other.names[locale]}</a>` : null;
  const source = sourceById.get(rule.source)?.title ?? rule.source;
  const cite = markup`<small><code>${rule.id}</code> · <a href="#source-${rule.source}" lang="ko">${source}</a></small>`;
  return markup`${spoken(rule.text[locale], locale)}${goes}${link} ${cite}`;
}

/** The sources that the rules of these items cite. */
export function sourceList(items: readonly Item[], locale: Locale): Html | null {
  const cited = new Set(items.flatMap(({ rules }) => rules.map(({ source }) => source)));
  if (cited.size === 0) return null;
  const entries = sources
    .filter(({ id }) => cited.has(id))
    .map(({ id, title, publisher, version, url }) => {
      const name = url === undefined ? title : markup`<a href="${url}" rel="noreferrer">${title}</a>`;
      return markup`<li id="source-${id}" lang="ko">${name}, ${publisher}, ${version}</li>`;
    });
  return markup`<h2>${pageWords[locale].sources}</h2><ul>${entries}</ul>`;
}
