import type { Item, ItemSource, Resource, Said } from '@bunri/client';
import { clarifyChoices } from './clarification.ts';
import { correctionForm } from './correction.ts';
import { button, fill, find, make, spoken } from './elements.ts';
import type { Page } from './page.ts';
import { remarksOn } from './remarks.ts';
import { secondsText } from './stage-view.ts';

export interface AnswerPanel {
  show(resource: Resource): void;
  hide(): void;
  focus(): void;
  render(): void;
}

export interface AnswerActions {
  /** The person chose one of the options, or said what the thing really is. */
  readonly say: (resource: Resource, said: Said, isCorrection: boolean) => void;
  readonly judge: (resource: Resource, helpful: boolean) => Promise<void>;
  readonly again: () => void;
}

type Catalogue = ReadonlyMap<string, { readonly item: Item; readonly source: ItemSource | undefined }>;

/** The guidance, what it rests on, and what a person may say of it. */
export function createAnswerPanel(page: Page, actions: AnswerActions): AnswerPanel {
  const panel = find('answer', HTMLElement);
  let resource: Resource | null = null;
  let rules: Catalogue = new Map();
  let isCorrecting = false;
  let isJudged = false;

  /** Names for the sources. Without them the rules are told by their ids, so that trouble here is none of the answer's. */
  async function nameSources(of: Resource): Promise<void> {
    const q = of.classification?.item_name ?? '';
    if (q === '') return;
    const found = await page.client.items({ q, locale: of.locale, limit: 8 }).catch(() => null);
    if (!found || resource?.id !== of.id) return;
    const sources = new Map(found.sources.map((source) => [source.id, source]));
    rules = new Map(
      found.items.flatMap((item) =>
        item.rules.map(({ rule_id, source_id }) => [rule_id, { item, source: sources.get(source_id) }]),
      ),
    );
    panel.querySelector('.sources')?.replaceWith(sourceList(of, rules, page));
  }

  function correct(open: boolean): void {
    isCorrecting = open;
    render();
    panel.querySelector<HTMLElement>(open ? '#correct' : '.wrong')?.focus();
  }

  function render(): void {
    if (!resource) return;
    const shown = resource;
    const words = page.words();
    const say = (said: Said, isCorrection: boolean) => actions.say(shown, said, isCorrection);
    const judge = (helpful: boolean) => {
      isJudged = true;
      render();
      panel.querySelector<HTMLElement>('.thanks')?.focus();
      void actions.judge(shown, helpful);
    };
    const wrong = button(words.wrong, 'quiet', () => correct(true));
    wrong.classList.add('wrong');
    fill(
      panel,
      ...head(shown, page),
      ...remarksOn(shown, page),
      ...clarifyChoices(
        shown,
        page,
        (said) => say(said, false),
        () => correct(true),
      ),
      ...body(shown, page),
      sourceList(shown, rules, page),
      isCorrecting
        ? correctionForm(
            page,
            (said) => say(said, true),
            () => correct(false),
          )
        : make('div', { class: 'actions' }, wrong, button(words.askAnother, 'primary', actions.again)),
      isJudged ? make('p', { class: 'thanks', tabindex: -1 }, words.thanks) : judgement(page, judge),
    );
  }

  return {
    show(next) {
      resource = next;
      rules = new Map();
      isCorrecting = false;
      isJudged = false;
      render();
      void nameSources(next);
    },
    hide() {
      resource = null;
      fill(panel);
    },
    focus() {
      panel.scrollIntoView({ block: 'start' });
      panel.querySelector('h2')?.focus({ preventScroll: true });
    },
    render,
  };
}

function head(resource: Resource, page: Page): Node[] {
  const words = page.words();
  const { classification, guidance, locale, created_at: from, completed_at: to } = resource;
  const outcome = guidance?.outcome ?? classification;
  const took = to === null ? null : words.took(secondsText(Date.parse(to) - Date.parse(from)));
  const sure = classification && words.certainty(Math.round(classification.confidence * 100));
  return [
    make('p', { class: 'eyebrow' }, words.answerHeading),
    make('h2', { tabindex: -1, lang: locale }, classification?.item_name ?? words.answerHeading),
    make(
      'p',
      { class: 'badges' },
      outcome && make('span', { class: 'bin', 'data-bin': outcome.waste_category }, words.bins[outcome.waste_category]),
      outcome && make('span', { class: 'badge' }, spoken(outcome.subcategory, page.lang())),
    ),
    make('p', { class: 'does' }, [sure, took].filter((part) => part !== null).join(' · ')),
  ];
}

function body({ guidance, locale, question }: Resource, page: Page): Node[] {
  const words = page.words();
  if (!guidance) return [];
  const { answer, steps, warnings, missing } = guidance;
  const list = (title: string, texts: readonly string[], kind: string) =>
    texts.length === 0
      ? []
      : [
          make('h3', {}, title),
          make('ul', { class: kind, lang: locale }, ...texts.map((text) => make('li', {}, spoken(text, locale)))),
        ];
  const numbered = steps.map(({ text }) => make('li', {}, make('span', {}, spoken(text, locale))));
  return [
    make('p', { class: 'asked' }, make('span', {}, `${words.asked}: `), make('q', { lang: locale }, question)),
    make('p', { class: 'lead', lang: locale }, spoken(answer, locale)),
    ...(steps.length === 0
      ? []
      : [make('h3', {}, words.steps), make('ol', { class: 'steps', lang: locale }, ...numbered)]),
    ...list(words.warnings, warnings, 'warnings'),
    ...list(words.missing, missing, 'missing'),
  ];
}

function sourceList({ guidance, locale }: Resource, rules: Catalogue, page: Page): HTMLElement {
  const words = page.words();
  const entries = (guidance?.sources ?? []).map(({ rule_id: id }) => {
    const known = rules.get(id);
    const rule = known
      ? make('a', { href: `/items?${new URLSearchParams({ item: known.item.id, lang: locale }).toString()}` }, id)
      : make('code', {}, id);
    return make('li', {}, rule, known?.source && ' — ', known?.source && sourceName(known.source));
  });
  return make(
    'details',
    { class: 'sources', hidden: entries.length === 0 },
    make('summary', {}, `${words.sources} (${entries.length})`),
    make('ul', {}, ...entries),
  );
}

/** Titles are as the publisher wrote them, in Korean. */
function sourceName({ title, publisher, url }: ItemSource): HTMLElement {
  const name = url === undefined ? title : make('a', { href: url, rel: 'noreferrer' }, title);
  return make('span', { lang: 'ko' }, name, `, ${publisher}`);
}

function judgement(page: Page, judge: (helpful: boolean) => void): HTMLElement {
  const words = page.words();
  return make(
    'div',
    { class: 'judgement', role: 'group', 'aria-labelledby': 'helpful' },
    make('span', { id: 'helpful' }, words.helpful),
    button(words.yes, 'quiet', () => judge(true)),
    button(words.no, 'quiet', () => judge(false)),
  );
}
