import type { Locale, WasteCategory } from '@bunri/queue-contracts';
import { english } from './words-en.ts';
import { korean } from './words-ko.ts';

/** All that the page says in one language. What is a plain text may stand in the page as it comes from the server. */
export interface Words {
  readonly title: string;
  readonly tagline: string;
  readonly intro: string;
  readonly needsScript: string;
  readonly skip: string;
  readonly language: string;
  readonly links: string;
  readonly itemsLink: string;
  readonly docsLink: string;
  readonly photoHeading: string;
  readonly takePhoto: string;
  readonly choosePhoto: string;
  readonly dropHint: string;
  readonly otherPhoto: string;
  readonly removePhoto: string;
  readonly preview: string;
  readonly photoSent: (size: string) => string;
  readonly photoReduced: (from: string, to: string) => string;
  readonly photoRewritten: (size: string) => string;
  readonly photoUnreadable: string;
  readonly photoHeic: string;
  readonly photoMissing: string;
  readonly preparing: string;
  readonly questionLabel: string;
  readonly questionHint: string;
  readonly suggestions: readonly string[];
  readonly suggestionsLabel: string;
  readonly send: string;
  readonly privacy: string;
  readonly howHeading: string;
  readonly progressHeading: string;
  readonly sending: string;
  readonly queued: (before: number) => string;
  readonly queuedUnknown: string;
  readonly expectedIn: (seconds: number) => string;
  readonly expectedLate: string;
  readonly noEstimate: string;
  readonly working: string;
  readonly stages: Readonly<Record<string, { readonly name: string; readonly does: string }>>;
  readonly stageStates: Readonly<Record<'waiting' | 'running' | 'retrying' | 'done' | 'failed' | 'skipped', string>>;
  readonly stageCached: string;
  readonly stageTries: (tries: number) => string;
  readonly stageSaid: (name: string, state: string, number: number, of: number) => string;
  readonly seconds: (seconds: string) => string;
  readonly draft: string;
  readonly cancel: string;
  readonly canceled: string;
  readonly stop: string;
  readonly answerHeading: string;
  readonly answerReady: (item: string) => string;
  readonly bins: Readonly<Record<WasteCategory, string>>;
  readonly certainty: (percent: number) => string;
  readonly steps: string;
  readonly warnings: string;
  readonly missing: string;
  readonly sources: string;
  readonly asked: string;
  readonly took: (seconds: string) => string;
  readonly fromCache: string;
  readonly estimate: string;
  readonly simulated: string;
  readonly byRules: string;
  readonly degraded: (stage: string, why: string) => string;
  readonly whyDegraded: (code: string) => string;
  readonly clarifyHint: string;
  readonly noneOfThese: string;
  readonly wrong: string;
  readonly correctHeading: string;
  readonly correctLabel: string;
  readonly correctHint: string;
  readonly found: (count: number) => string;
  readonly notFound: string;
  readonly useWords: (text: string) => string;
  readonly close: string;
  readonly helpful: string;
  readonly yes: string;
  readonly no: string;
  readonly thanks: string;
  readonly askAnother: string;
  readonly recentHeading: string;
  readonly recentHere: string;
  readonly recentGone: string;
  readonly forget: string;
  readonly show: string;
  readonly statuses: Readonly<Record<'queued' | 'running' | 'completed' | 'failed' | 'canceled', string>>;
  readonly keyHeading: string;
  readonly keyText: string;
  readonly keyRefused: string;
  readonly keyLabel: string;
  readonly keyKeep: string;
  readonly keyUse: string;
  readonly offline: string;
  readonly offlineWaiting: string;
  readonly onlineAgain: string;
  readonly retryBusy: (seconds: number) => string;
  readonly retryLost: (seconds: number) => string;
  readonly busyHeading: string;
  readonly failedHeading: string;
  readonly tryAgain: string;
  readonly photoKept: string;
  readonly support: (code: string, id: string | null) => string;
  readonly advice: Readonly<Record<AdviceKind, string>>;
  readonly photoAdvice: Readonly<Record<string, string>>;
}

/** The stages that every request passes, in their order. */
export const usualStages = ['preprocess', 'vision', 'rag', 'llm'] as const;

/** What went wrong, as far as it makes a difference to the person. */
export type AdviceKind =
  | 'photo'
  | 'refused'
  | 'question'
  | 'money'
  | 'busy'
  | 'late'
  | 'ours'
  | 'provider'
  | 'connection'
  | 'lost'
  | 'seenGone'
  | 'stopped'
  | 'gone'
  | 'canceled'
  | 'key'
  | 'unknown';

export const words: Readonly<Record<Locale, Words>> = { ko: korean, en: english };
