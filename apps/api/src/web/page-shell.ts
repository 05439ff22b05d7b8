import type { Locale } from '@bunri/queue-contracts';
import { markup, type Html } from './markup.ts';
import { languageLinks, pageHead, type PageAssets } from './page-parts.ts';
import { usualStages, words, type Words } from './page/words.ts';

/** Nothing but this service's own script and style is let in, and nothing may be made of text by the script. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  // Its forms are the script's; before it is there, a form must not take the page away with what was typed in the address.
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

type PlainWord = { [Name in keyof Words]: Words[Name] extends string ? Name : never }[keyof Words];

/**
 * The page as it comes: all that stays on it, in the reader's language, with the names of the words so that the script can
 * change it. What comes and goes is put in by the script. @param assets paths of the files that it loads
 */
export function pageShell(lang: Locale, assets: PageAssets): string {
  const texts = words[lang];
  const word = (name: PlainWord): Html => markup`<span data-word="${name}">${texts[name]}</span>`;
  return markup`<!doctype html>
<html lang="${lang}">
${pageHead(texts.title, markup`<meta name="description" content="${texts.intro}">`, assets)}
<body>
<a class="skip" href="#main">${word('skip')}</a>
${header(lang, word, assets.icon)}
<main id="main" tabindex="-1">
<p id="connection" class="banner" hidden></p>
<div class="hero">
<h1>${word('tagline')}</h1>
<p>${word('intro')}</p>
</div>
<noscript><p class="card">${word('needsScript')}</p></noscript>
<div class="columns">
<div class="side">
${composer(texts, word)}
</div>
<div class="results">
<section id="key" class="card" hidden></section>
<section id="trouble" class="card trouble" hidden></section>
<section id="progress" class="card progress" hidden></section>
<section id="answer" class="card answer" hidden></section>
<section id="recent" class="card recent" hidden></section>
${howItWorks(texts, word)}
</div>
</div>
</main>
<div id="live" class="unseen" role="status" aria-live="polite"></div>
</body>
</html>
`.html;
}

type WriteWord = (name: PlainWord) => Html;

function header(lang: Locale, word: WriteWord, icon: string): Html {
  const texts = words[lang];
  return markup`<header class="top">
<a class="brand" href="/"><img src="${icon}" alt="" width="32" height="32">${word('title')}</a>
<nav class="links" aria-label="${texts.links}" data-label="links">
<a href="/items?lang=${lang}">${word('itemsLink')}</a>
<a href="/docs">${word('docsLink')}</a>
</nav>
<nav class="languages" aria-label="${texts.language}" data-label="language">${languageLinks('/', lang)}</nav>
</header>`;
}

function composer(texts: Words, word: WriteWord): Html {
  const suggestions = texts.suggestions.map(
    (text, i) => markup`<button type="button" class="chip" data-suggestion="${i}">${text}</button>`,
  );
  return markup`<form id="compose" class="card" novalidate>
<div id="drop" class="drop" role="group" aria-labelledby="photo-heading">
<h2 id="photo-heading">${word('photoHeading')}</h2>
<div id="preview" class="preview" hidden></div>
<div class="pick">
<label class="take"><input id="camera" type="file" accept="image/*" capture="environment" aria-describedby="photo-note">${word('takePhoto')}</label>
<label class="choose"><input id="picker" type="file" accept="image/*" aria-describedby="photo-note"><span id="pick-text"></span></label>
<button type="button" id="unpick" class="quiet" hidden></button>
</div>
<p class="note drop-hint">${word('dropHint')}</p>
<p id="photo-note" class="note" hidden></p>
</div>
<label for="question">${word('questionLabel')}</label>
<textarea id="question" name="question" rows="2" maxlength="1000" aria-describedby="question-hint"></textarea>
<p id="question-hint" class="note">${word('questionHint')}</p>
<div class="suggestions" role="group" aria-label="${texts.suggestionsLabel}" data-label="suggestionsLabel">${suggestions}</div>
<button id="send" class="primary">${word('send')}</button>
<p class="note">${word('privacy')}</p>
</form>`;
}

/** What is there until something is asked. The script keeps its words in the language of the page. */
function howItWorks(texts: Words, word: WriteWord): Html {
  const steps = usualStages.map(
    (name) => markup`<li><span class="mark" aria-hidden="true"></span><span class="what">
<strong data-stage-name="${name}">${texts.stages[name]?.name ?? name}</strong>
<span class="does" data-stage-does="${name}">${texts.stages[name]?.does ?? ''}</span></span></li>`,
  );
  return markup`<section id="how" class="card"><h2>${word('howHeading')}</h2><ol class="stages">${steps}</ol></section>`;
}

/** A leaf in a rounded square. */
export const pageIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#0b6b50"/><path d="M8 22C7 12 14 7 25 7c0 11-5 18-15 17 1-6 4-10 9-12-6 1-9 5-11 10z" fill="#e8f6ef"/></svg>`;
