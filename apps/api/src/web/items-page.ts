import { createHash } from 'node:crypto';
import { catalogue, itemById, searchItems, type Item } from '@bunri/knowledge';
import { locales, wasteCategories, type Locale, type WasteCategory } from '@bunri/queue-contracts';
import { markup, type Html } from './markup.ts';
import { binName, itemCard, itemHref, sourceList, spoken, streamName } from './item-card.ts';
import { itemsStyle } from './items-style.ts';
import { languageNames } from './page-parts.ts';
import { pageWords, type PageWords } from './items-words.ts';

/** What the reader asked for; an empty `q` or `category` is none. */
export interface ItemsQuery {
  readonly q: string;
  readonly category: WasteCategory | '';
  readonly item: string;
  readonly lang: Locale;
}

export interface ItemsPage {
  readonly html: string;
  /** False where an item was asked for that is not in the catalogue. */
  readonly found: boolean;
}

/** Nothing but this page's own style is let in: no script, no frame, nothing from elsewhere. */
export const itemsPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(itemsStyle).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const mostHits = 20;

/**
 * The catalogue for people: all names by bin and stream, the items of a bin, what a search found, or one item. It is whole as
 * it comes, and needs no script.
 */
export function itemsPage(query: ItemsQuery): ItemsPage {
  const { q, category, item: id, lang } = query;
  const words = pageWords[lang];
  if (id !== '') {
    const item = itemById(id);
    const content = item ? oneItem(item, lang) : markup`<p role="status">${words.noItem}</p>${overview(lang)}`;
    return { html: layout(query, item?.names[lang] ?? null, content), found: item !== undefined };
  }
  if (q !== '') return { html: layout(query, q, hits(searched(query), words, lang)), found: true };
  if (category !== '') return { html: layout(query, binName(category, lang), binItems(category, lang)), found: true };
  return { html: layout(query, null, overview(lang)), found: true };
}

function searched({ q, category, lang }: ItemsQuery): Item[] {
  return searchItems(q, lang, catalogue.items.length)
    .flatMap(({ item_id }) => itemById(item_id) ?? [])
    .filter(({ wasteCategory }) => category === '' || wasteCategory === category)
    .slice(0, mostHits);
}

function hits(items: readonly Item[], words: PageWords, lang: Locale): Html {
  if (items.length === 0) return markup`<p role="status">${words.nothing}</p>`;
  const cards = items.map((item, i) => itemCard(item, lang, { open: i === 0 }));
  return markup`<h2>${words.found(items.length)}</h2>${cards}${sourceList(items, lang)}`;
}

function oneItem(item: Item, lang: Locale): Html {
  const bin = markup`<a href="${href({ category: item.wasteCategory, lang })}">${binName(item.wasteCategory, lang)}</a>`;
  return markup`<h2>${bin}</h2>${itemCard(item, lang, { open: true })}${sourceList([item], lang)}`;
}

/** Items of one bin by their streams, in the order of the catalogue. */
function byStream(category: WasteCategory, lang: Locale): [string, Item[]][] {
  const members = catalogue.items.filter(({ wasteCategory }) => wasteCategory === category);
  return [...Map.groupBy(members, (item) => streamName(item, lang))];
}

function binItems(category: WasteCategory, lang: Locale): Html {
  const streams = byStream(category, lang);
  const sections = streams.map(([stream, items]) => {
    const cards = items.map((item) => itemCard(item, lang, { open: false }));
    return markup`<h2>${spoken(stream, lang)}</h2>${cards}`;
  });
  const all = streams.flatMap(([, items]) => items);
  return markup`${sections}${sourceList(all, lang)}`;
}

function overview(lang: Locale): Html {
  const bins = wasteCategories.map((category) => {
    const streams = byStream(category, lang).map(([stream, items]) => {
      const links = items.map((item) => markup`<li><a href="${itemHref(item.id, lang)}">${item.names[lang]}</a></li>`);
      return markup`<h3>${spoken(stream, lang)}</h3><ul class="names">${links}</ul>`;
    });
    return markup`<h2><a href="${href({ category, lang })}">${binName(category, lang)}</a></h2>${streams}`;
  });
  return markup`${bins}`;
}

function href(given: Partial<ItemsQuery>): string {
  const said = Object.entries(given).filter(([, value]) => value !== '');
  return `/items?${new URLSearchParams(Object.fromEntries(said)).toString()}`;
}

function layout(query: ItemsQuery, subject: string | null, content: Html): string {
  const { lang } = query;
  const words = pageWords[lang];
  const languages = locales.map((locale) => {
    const current = locale === lang ? markup` aria-current="true"` : null;
    const target = markup`href="${href({ ...query, lang: locale })}" hreflang="${locale}" lang="${locale}"`;
    return markup`<a ${target}${current}>${languageNames[locale]}</a>`;
  });
  // Not escaped: it must be the very text of which the policy has the hash.
  const style: Html = { html: itemsStyle };
  return markup`<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${subject === null ? null : `${subject} – `}${words.title}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">${words.skip}</a>
<header>
<nav class="languages" aria-label="${words.language}"><a href="/?lang=${lang}">${words.ask}</a>${languages}</nav>
<h1><a href="${href({ lang })}">${words.title}</a></h1>
<p>${words.intro}</p>
${searchForm(query, words)}
</header>
<main id="content" tabindex="-1">
${content}
</main>
</body>
</html>
`.html;
}

function searchForm({ q, category, lang }: ItemsQuery, words: PageWords): Html {
  const options = wasteCategories.map((one) => {
    const selected = one === category ? markup` selected` : null;
    return markup`<option value="${one}"${selected}>${binName(one, lang)}</option>`;
  });
  return markup`<form role="search" action="/items" method="get">
<label for="q">${words.search}</label>
<input id="q" name="q" type="search" maxlength="200" value="${q}" placeholder="${words.searchHint}" autocomplete="off">
<label for="category">${words.bin}</label>
<select id="category" name="category"><option value="">${words.allBins}</option>${options}</select>
<input type="hidden" name="lang" value="${lang}">
<button>${words.submit}</button>
</form>`;
}
