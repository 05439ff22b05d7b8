import { fill, find } from '../page/elements.ts';
import { call, Refused, type DeadLetter, type Look, type QueueState, type Statistics } from './answers.ts';
import { createDeadLetterList } from './dead-letters.ts';
import { createKeyForm } from './key-form.ts';
import { drawPipeline, type StageView } from './picture.ts';
import { createRates } from './rates.ts';
import { dayTable, stageTable, todayFigures } from './tables.ts';
import { opsWords } from './words.ts';

const lookEveryMs = 4_000;
/** The days that are over change once a day. */
const daysEveryMs = 300_000;
const mostLetters = 20;

const lang = document.documentElement.lang === 'en' ? 'en' : 'ko';
const words = opsWords[lang];
const content = find('content', HTMLElement);
const status = find('status', HTMLElement);
const banner = find('connection', HTMLElement);
const live = find('live', HTMLElement);
const leave = find('leave', HTMLButtonElement);
const pause = find('pause', HTMLButtonElement);
const isNarrow = matchMedia('(max-width: 59.99rem)');
const rates = createRates();
const keyForm = createKeyForm(() => words, resume);
const letters = createDeadLetterList(find('dead-letters', HTMLElement), retry);

let latest: Look | null = null;
let daysAt = Number.NEGATIVE_INFINITY;
let today = '';
/** Why what is shown is not the latest; null where it is. */
let trouble: string | null = null;
let isPaused = false;
let timer = 0;

function announce(text: string): void {
  live.textContent = text;
}

/** @throws Refused, or whatever fetch rejects with */
async function look(): Promise<Look> {
  const at = Date.now();
  if (at - daysAt >= daysEveryMs) {
    const statistics = (await call('GET', '/v1/stats/daily')) as Statistics;
    today = statistics.to;
    daysAt = at;
    fill(find('days', HTMLElement), dayTable(statistics, words));
  }
  const [queues, statistics, page] = (await Promise.all([
    call('GET', '/v1/queues'),
    call('GET', `/v1/stats/daily?from=${today}`),
    call('GET', `/v1/admin/dead-letters?limit=${mostLetters}`),
  ])) as [{ queues: QueueState[] }, Statistics, { data: DeadLetter[]; next_cursor: string | null }];
  // After midnight there are two: the day that was today, and the one that is.
  const day = statistics.days.at(-1);
  if (!day) throw new Refused(500, 'The statistics have no day.');
  rates.add(at, day);
  return {
    at,
    queues: queues.queues,
    caps: statistics.caps,
    today: day,
    deadLetters: page.data,
    more: page.next_cursor !== null,
  };
}

function render(): void {
  if (!latest) return;
  const { at, queues, today: day, deadLetters, more } = latest;
  const stages = queues.map((queue): StageView => ({ ...queue, perMinute: rates.perMinute(queue.name) }));
  find('picture', HTMLElement).replaceChildren(drawPipeline(stages, words, lang, isNarrow.matches));
  renderKept('stages', stageTable(stages, day, words, lang));
  find('today', HTMLElement).replaceChildren(todayFigures(latest, rates.perMinute('requests'), words));
  letters.show(deadLetters, more, words, lang);
  status.textContent = words.updated(new Date(at).toLocaleTimeString(lang));
  content.hidden = false;
  leave.hidden = false;
}

/** A table that somebody scrolls by keyboard keeps the focus, and its place. */
function renderKept(id: string, table: HTMLElement): void {
  const place = find(id, HTMLElement);
  const old = place.firstElementChild;
  if (old) old.replaceChildren(...table.children);
  else place.append(table);
}

async function tick(): Promise<void> {
  clearTimeout(timer);
  try {
    const seen = await look();
    latest = seen;
    if (trouble !== null) announce(words.regained);
    trouble = null;
    render();
  } catch (error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
      signOut();
      return;
    }
    const text = textOf(error);
    if (trouble !== text) announce(text);
    trouble = text;
  }
  fill(banner, trouble);
  schedule();
}

function textOf(error: unknown): string {
  return error instanceof Refused ? words.refused(error.status) : words.lost;
}

function schedule(): void {
  clearTimeout(timer);
  if (isPaused || document.hidden || keyForm.isAsking()) return;
  timer = window.setTimeout(() => void tick(), lookEveryMs);
}

function signOut(): void {
  trouble = null;
  clearTimeout(timer);
  latest = null;
  daysAt = Number.NEGATIVE_INFINITY;
  letters.forget();
  content.hidden = true;
  leave.hidden = true;
  fill(banner);
  keyForm.ask();
}

function resume(): void {
  find('main', HTMLElement).focus();
  void tick();
}

async function retry(id: string): Promise<boolean> {
  try {
    await call('POST', `/v1/admin/dead-letters/${id}/retry`);
    announce(words.retried(id));
    return true;
  } catch (error) {
    announce(error instanceof Refused ? error.message : words.lost);
    // Somebody else has retried or removed it.
    return error instanceof Refused && (error.status === 404 || error.status === 409);
  }
}

pause.addEventListener('click', () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? words.goOn : words.pause;
  announce(isPaused ? words.paused : '');
  if (isPaused) clearTimeout(timer);
  else void tick();
});
leave.addEventListener('click', () => {
  void call('DELETE', '/v1/admin/session').then(signOut, (error: unknown) => {
    // Whoever leaves has to know whether the session is over.
    if (error instanceof Refused && error.status === 401) signOut();
    else announce(textOf(error));
  });
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !isPaused && !keyForm.isAsking()) void tick();
  else schedule();
});
isNarrow.addEventListener('change', render);
for (const type of ['online', 'offline']) {
  window.addEventListener(type, () => {
    if (!isPaused && !keyForm.isAsking()) void tick();
  });
}

void tick();
