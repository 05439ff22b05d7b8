import { createClient, type Resource, type Said } from '@bunri/client';
import { createAnswerPanel } from './answer-panel.ts';
import { createAsking } from './asking.ts';
import { button, fill, find, make } from './elements.ts';
import { createKeyPanel } from './key-panel.ts';
import { createLanguage } from './language.ts';
import type { Page } from './page.ts';
import { createPhotoField } from './photo-field.ts';
import { createProgressPanel } from './progress-panel.ts';
import { createRecent } from './recent.ts';
import { isOfPhoto, pageError, troubleOf, troubleOfFailure, troubleText, type Trouble } from './trouble.ts';
import { words } from './words.ts';

const live = find('live', HTMLElement);
const composer = find('compose', HTMLFormElement);
const question = find('question', HTMLTextAreaElement);
const troublePanel = find('trouble', HTMLElement);
const connection = find('connection', HTMLElement);

const keys = createKeyPanel(() => page);
const language = createLanguage(renderAll);
const page: Page = {
  client: createClient({ baseUrl: '', apiKey: () => keys.key() }),
  lang: () => language.lang(),
  words: () => words[language.lang()],
  announce: (text) => (live.textContent = text),
};
const photoField = createPhotoField(page);
const progress = createProgressPanel(page, () => asking.stop());
const asking = createAsking(page, progress, accepted);
const recent = createRecent(page, openRequest);
const answer = createAnswerPanel(page, { say, judge, again });
/** Does it once more; null where that would be of no use. */
type Retry = (() => void) | null;
/** What went wrong last, and how to go on from there. */
let failed: { readonly trouble: Trouble; readonly retry: Retry } | null = null;
/** Only what was begun last is shown. */
let turn = 0;

function renderAll(): void {
  photoField.render();
  progress.render();
  answer.render();
  keys.render();
  recent.render();
  renderTrouble();
  renderConnection();
}

/**
 * Runs a request to its end and shows what came of it. @param retry does it once more, where it came to nothing
 * @param renew the same where it came to an end without an answer
 */
async function run(begin: () => Promise<Resource>, retry: () => void, renew: Retry = retry): Promise<void> {
  turn += 1;
  const mine = turn;
  failed = null;
  renderTrouble();
  keys.hide();
  answer.hide();
  try {
    const resource = await begin();
    if (mine === turn) showEnd(resource, renew);
  } catch (error) {
    // The service has it and goes on with it: sent again, it would be another request.
    const open = asking.id();
    if (mine === turn) showTrouble(error, open === null ? retry : () => openRequest(open));
  }
}

/** From now on this page is about a request: it is found again when the page is loaded anew, and one can go back to it. */
function accepted(resource: Resource): void {
  recent.add(resource);
  if (location.hash !== `#${resource.id}`) history.pushState(null, '', `#${resource.id}`);
}

function showEnd(resource: Resource, retry: Retry): void {
  progress.hide();
  recent.add(resource);
  if (resource.status === 'completed') {
    answer.show(resource);
    answer.focus();
    page.announce(page.words().answerReady(resource.classification?.item_name ?? ''));
  } else if (asking.isStopped()) stopped();
  else tellTrouble(troubleOfFailure(resource), retry);
}

function showTrouble(error: unknown, retry: () => void): void {
  progress.hide();
  // Only the person ends a request that is under way.
  if (asking.isStopped()) {
    stopped();
    return;
  }
  const trouble = troubleOf(error);
  tellTrouble(trouble, retry);
  // For the browser's console, where its cause can be looked for.
  if (trouble.code === pageError) throw error;
}

function stopped(): void {
  history.replaceState(null, '', startPath());
  page.announce(page.words().canceled);
  find('send', HTMLButtonElement).focus();
}

function tellTrouble(trouble: Trouble, retry: Retry): void {
  if (trouble.code === 'unauthorized' && retry) {
    keys.ask(() => {
      retry();
      void recent.load();
    });
    return;
  }
  failed = { trouble, retry };
  renderTrouble();
  troublePanel.querySelector('h2')?.focus();
}

function renderTrouble(): void {
  if (!failed) {
    fill(troublePanel);
    return;
  }
  const { trouble, retry } = failed;
  const text = page.words();
  const actions = [
    // The same photo would be refused again.
    isOfPhoto(trouble)
      ? button(text.otherPhoto, 'primary', () => photoField.choose())
      : retry && button(text.tryAgain, 'primary', retry),
    button(text.askAnother, 'quiet', again),
  ];
  fill(
    troublePanel,
    make('h2', { tabindex: -1 }, text.failedHeading),
    make('p', {}, troubleText(trouble, text)),
    photoField.photo() && !isOfPhoto(trouble) ? make('p', { class: 'note' }, text.photoKept) : null,
    make('div', { class: 'actions' }, ...actions),
    make('p', { class: 'note' }, text.support(trouble.code, trouble.reference)),
  );
}

function ask(): void {
  void askWhenReady();
}

async function askWhenReady(): Promise<void> {
  const photo = await photoField.ready();
  if (!photo) {
    photoField.demand();
    return;
  }
  const asked = { photo, question: question.value.trim() };
  // A second tap on the button is no second request.
  if (!asking.isUnderWay(asked)) await run(async () => await asking.ask(asked), ask);
}

/** It is only looked at. What failed is not asked again: the photo on this page may be another one. */
function openRequest(id: string): void {
  void run(
    async () => await asking.open(id),
    () => openRequest(id),
    null,
  );
}

/** A correction is kept as feedback too: it tells that the photo was taken for something else. */
function say(resource: Resource, said: Said, isCorrection: boolean): void {
  const once = async () =>
    await asking.follow(async (call) => {
      if (isCorrection && 'itemId' in said) await page.client.feedback(resource.id, { item_id: said.itemId }, call);
      return await page.client.clarify(resource.id, said, call);
    });
  void run(once, () => say(resource, said, isCorrection));
}

async function judge({ id }: Resource, helpful: boolean): Promise<void> {
  await page.client.feedback(id, { helpful }).catch((error: unknown) => {
    page.announce(troubleText(troubleOf(error), page.words()));
  });
}

/** Shows nothing but what there is to begin with. A request under way goes on, and is found among the recent ones. */
function start(): void {
  turn += 1;
  failed = null;
  asking.leave();
  renderTrouble();
  keys.hide();
  answer.hide();
}

function again(): void {
  start();
  photoField.clear();
  question.value = '';
  if (location.hash !== '') history.pushState(null, '', startPath());
  scrollTo({ top: 0 });
  find('picker', HTMLInputElement).focus();
}

function startPath(): string {
  return `${location.pathname}${location.search}`;
}

/** The request that the address names, if it names one. */
function namedRequest(): string | null {
  return /^#(req_[0-9a-f]{32})$/.exec(location.hash)?.[1] ?? null;
}

function renderConnection(): void {
  fill(connection, navigator.onLine ? null : page.words().offline);
}

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  ask();
});
composer.addEventListener('click', ({ target }) => {
  if (!(target instanceof HTMLElement) || target.dataset['suggestion'] === undefined) return;
  question.value = target.textContent;
  question.focus();
});
for (const type of ['online', 'offline'] as const) {
  window.addEventListener(type, () => {
    renderConnection();
    page.announce(type === 'online' ? page.words().onlineAgain : page.words().offline);
  });
}

// Back, forward, or another address in the same window.
window.addEventListener('popstate', () => {
  const named = namedRequest();
  if (named !== null) openRequest(named);
  else if (location.hash === '') start();
});
// By script, since its own link would take the place of the request in the address.
document.querySelector('.skip')?.addEventListener('click', (event) => {
  event.preventDefault();
  find('main', HTMLElement).focus();
});

renderAll();
const named = namedRequest();
if (named !== null) openRequest(named);
void recent.load();
