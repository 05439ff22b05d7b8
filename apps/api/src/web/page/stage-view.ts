import type { ClassificationEvent, Resource } from '@bunri/client';

/** A stage as the page shows it. */
export interface StageView {
  readonly name: string;
  readonly state: 'waiting' | 'running' | 'retrying' | 'done' | 'failed' | 'skipped';
  /** When it began by this browser's clock, epoch ms; only while it runs. */
  readonly startedAt: number | null;
  readonly durationMs: number | null;
  readonly tries: number;
  readonly cached: boolean;
}

const states = {
  pending: 'waiting',
  running: 'running',
  completed: 'done',
  failed: 'failed',
  skipped: 'skipped',
} as const;

/** Stages that are only there where somebody asks for them. */
const optional: readonly string[] = ['vision.local'];

export function stagesOf({ stages }: Pick<Resource, 'stages'>, now: number): StageView[] {
  return stages
    .filter(({ name, status }) => !optional.includes(name) || (status !== 'pending' && status !== 'skipped'))
    .map(({ name, status, started_at: startedAt, duration_ms: durationMs, attempts, cached }) => ({
      name,
      state: states[status],
      // The server's clock may be before this one's.
      startedAt: status === 'running' && startedAt !== null ? Math.min(now, Date.parse(startedAt)) : null,
      durationMs,
      tries: attempts,
      cached,
    }));
}

/** The stages after an event. An event of no stage, or of one that is not shown, changes nothing. */
export function afterEvent(views: readonly StageView[], event: ClassificationEvent, now: number): StageView[] {
  return views.map((view) => (view.name === event.stage ? changed(view, event, now) : view));
}

function changed(view: StageView, event: ClassificationEvent, now: number): StageView {
  switch (event.type) {
    case 'stage.started':
      return { ...view, state: 'running', startedAt: now, durationMs: null, tries: event.attempt ?? view.tries + 1 };
    case 'stage.completed':
      return {
        ...view,
        state: 'done',
        startedAt: null,
        durationMs: event.duration_ms ?? null,
        cached: event.cached ?? false,
      };
    case 'stage.retrying':
      return { ...view, state: 'retrying', startedAt: null };
    case 'stage.released':
      return { ...view, state: 'waiting', startedAt: null };
    default:
      return view;
  }
}

/** Seconds with one decimal below ten, as people read them. */
export function secondsText(ms: number): string {
  const seconds = ms / 1000;
  return seconds < 9.95 ? seconds.toFixed(1) : String(Math.round(seconds));
}
