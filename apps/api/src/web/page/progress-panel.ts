import type { Place } from '@bunri/client';
import { button, fill, find, make } from './elements.ts';
import type { Page } from './page.ts';
import { secondsText, type StageView } from './stage-view.ts';

/** How far a request has come. */
export interface Progress {
  readonly phase: 'sending' | 'queued' | 'working';
  readonly place: Place | null;
  readonly stages: readonly StageView[];
  /** The answer as far as it is written. */
  readonly draft: string;
}

/** Another try that follows at a time, epoch ms; the network that is missing; or something that went wrong beside it. */
export type Wait = { readonly kind: 'busy' | 'lost'; readonly until: number } | { readonly said: string } | 'offline';

export interface ProgressPanel {
  show(progress: Progress): void;
  hide(): void;
  /** Brings whoever uses a keyboard or hears the page to the panel. */
  focus(): void;
  /** Says what holds it up; null when nothing does any more. */
  wait(wait: Wait | null): void;
  render(): void;
}

const tickMs = 250;

/** The stages of a request while it is on its way, with their times running. */
export function createProgressPanel(page: Page, onCancel: () => void): ProgressPanel {
  const panel = find('progress', HTMLElement);
  const heading = make('h2', { tabindex: -1 });
  const place = make('p', { class: 'place' });
  const notice = make('p', { class: 'notice' });
  const list = make('ol', { class: 'stages' });
  const draft = make('div', { class: 'draft' });
  const cancel = button('', 'quiet', onCancel);
  panel.append(heading, place, notice, list, draft, cancel);
  let progress: Progress | null = null;
  let waiting: Wait | null = null;
  let ticking: ReturnType<typeof setInterval> | undefined;

  function placeText(): string {
    const words = page.words();
    // It is not being sent while it waits to be.
    if (!progress || progress.phase === 'sending') return waiting === null ? words.sending : '';
    const { phase, place: known } = progress;
    if (phase === 'working') return words.working;
    const before = known?.position ?? null;
    const stands = before === null ? words.queuedUnknown : words.queued(before);
    return `${stands} ${estimateText(known)}`.trim();
  }

  function estimateText(known: Place | null): string {
    const words = page.words();
    const at = known?.estimated_completion?.p50;
    if (at === undefined) return words.noEstimate;
    const seconds = Math.round((Date.parse(at) - Date.now()) / 1000);
    return seconds > 0 ? words.expectedIn(seconds) : words.expectedLate;
  }

  function waitText(): string {
    const words = page.words();
    if (waiting === null) return '';
    if (waiting === 'offline') return `${words.offline} ${words.offlineWaiting}`;
    if ('said' in waiting) return waiting.said;
    const seconds = Math.max(0, Math.ceil((waiting.until - Date.now()) / 1000));
    return waiting.kind === 'busy' ? words.retryBusy(seconds) : words.retryLost(seconds);
  }

  /** What changes with the time alone; nothing here is read aloud by itself. */
  function tick(): void {
    fill(place, placeText() || null);
    fill(notice, waitText() || null);
    for (const [i, { startedAt }] of (progress?.stages ?? []).entries()) {
      const time = list.children[i]?.querySelector('.time');
      if (startedAt === null || !time) continue;
      time.textContent = page.words().seconds(secondsText(Math.max(0, Date.now() - startedAt)));
    }
  }

  function render(): void {
    if (!progress) return;
    const words = page.words();
    heading.textContent = waiting === null || isSaid(waiting) ? words.progressHeading : words.busyHeading;
    fill(list, ...progress.stages.map((stage) => stageEntry(stage, page)));
    fill(
      draft,
      progress.draft !== '' && make('h3', {}, words.draft),
      progress.draft !== '' && make('p', {}, progress.draft),
    );
    cancel.textContent = progress.phase === 'sending' ? words.stop : words.cancel;
    panel.hidden = false;
    tick();
  }

  return {
    show(next) {
      progress = next;
      ticking ??= setInterval(tick, tickMs);
      render();
    },
    hide() {
      progress = null;
      waiting = null;
      clearInterval(ticking);
      ticking = undefined;
      panel.hidden = true;
    },
    focus() {
      panel.scrollIntoView({ block: 'start' });
      heading.focus({ preventScroll: true });
    },
    wait(next) {
      waiting = next;
      render();
      if (next !== null) page.announce(waitText());
    },
    render,
  };
}

function isSaid(wait: Wait): boolean {
  return typeof wait === 'object' && 'said' in wait;
}

function stageEntry({ name, state, durationMs, tries, cached }: StageView, page: Page): HTMLElement {
  const words = page.words();
  const known = words.stages[name];
  const remarks = [cached && words.stageCached, tries > 1 && words.stageTries(tries)].filter(
    (remark) => remark !== false,
  );
  return make(
    'li',
    { 'data-stage': name, 'data-state': state },
    make('span', { class: 'mark', 'aria-hidden': 'true' }),
    make(
      'span',
      { class: 'what' },
      make('strong', {}, known?.name ?? name),
      ' ',
      make('span', { class: 'does' }, known?.does ?? ''),
    ),
    make(
      'span',
      { class: 'how' },
      make('span', { class: 'state' }, [words.stageStates[state], ...remarks].join(' · ')),
      ' ',
      make('span', { class: 'time' }, durationMs === null ? '' : words.seconds(secondsText(durationMs))),
    ),
  );
}
