import { locales, type Locale } from '@bunri/queue-contracts';
import { markup, type Html } from './markup.ts';

/** Paths of the files that a page loads. */
export interface PageAssets {
  readonly script: string;
  readonly style: string;
  readonly icon: string;
}

export const languageNames: Readonly<Record<Locale, string>> = { ko: '한국어', en: 'English' };

/** What stands in the head of a page that is a script's. @param about a `meta` of the page's own */
export function pageHead(title: string, about: Html, assets: PageAssets): Html {
  return markup`<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${about}
<title>${title}</title>
<link rel="icon" type="image/svg+xml" href="${assets.icon}">
<link rel="stylesheet" href="${assets.style}">
<script type="module" src="${assets.script}"></script>
</head>`;
}

/** The page in each language. @param path of the page */
export function languageLinks(path: string, lang: Locale): Html[] {
  return locales.map((locale) => {
    const current = locale === lang ? markup` aria-current="true"` : null;
    return markup`<a href="${path}?lang=${locale}" hreflang="${locale}" lang="${locale}"${current}>${languageNames[locale]}</a>`;
  });
}
