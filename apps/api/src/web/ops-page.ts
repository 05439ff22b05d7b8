import type { Locale } from '@bunri/queue-contracts';
import { markup, type Html } from './markup.ts';
import { opsWords, type OpsWords } from './ops/words.ts';
import { languageLinks, pageHead, type PageAssets } from './page-parts.ts';

/**
 * The page of operation as it comes: it holds no figures, so that anybody may have it. What it shows it asks the API for.
 * @param assets paths of the files that it loads
 */
export function opsPage(lang: Locale, assets: PageAssets): string {
  const words = opsWords[lang];
  return markup`<!doctype html>
<html lang="${lang}">
${pageHead(`${words.title} · bunri`, markup`<meta name="robots" content="noindex">`, assets)}
<body>
<a class="skip" href="#main">${words.skip}</a>
${header(lang, words, assets.icon)}
<main id="main" tabindex="-1">
<p id="connection" class="banner" hidden></p>
<div class="hero">
<h1>${words.title}</h1>
<p>${words.intro}</p>
</div>
<noscript><p class="card">${words.needsScript}</p></noscript>
<section id="key" class="card" hidden></section>
<div id="content" hidden>
<div class="bar">
<p id="status"></p>
<button type="button" id="pause" class="quiet">${words.pause}</button>
<button type="button" id="leave" class="quiet" hidden>${words.leave}</button>
</div>
${card(words.pipeline, markup`<div id="picture"></div><div id="stages"></div>`)}
${card(words.today, markup`<div id="today"></div>`)}
${card(words.deadLetters, markup`<p class="note">${words.deadLettersNote}</p><div id="dead-letters"></div>`)}
${card(words.lastDays, markup`<div id="days"></div>`)}
</div>
</main>
<div id="live" class="unseen" role="status" aria-live="polite"></div>
</body>
</html>
`.html;
}

function card(heading: string, content: Html): Html {
  return markup`<section class="card"><h2 tabindex="-1">${heading}</h2>${content}</section>`;
}

function header(lang: Locale, words: OpsWords, icon: string): Html {
  return markup`<header class="top">
<a class="brand" href="/ops?lang=${lang}"><img src="${icon}" alt="" width="32" height="32"><span>${words.title}</span></a>
<nav class="links" aria-label="${words.links}">
<a href="/?lang=${lang}">${words.pageLink}</a>
<a href="/admin/queues">${words.boardLink}</a>
<a href="/docs">${words.docsLink}</a>
</nav>
<nav class="languages" aria-label="${words.language}">${languageLinks('/ops', lang)}</nav>
</header>`;
}
