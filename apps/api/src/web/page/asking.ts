import {
  hasEnded,
  newIdempotencyKey,
  type CallOptions,
  type ClassificationEvent,
  type Place,
  type Resource,
  type Retry,
  type Submitted,
} from '@bunri/client';
import type { Page } from './page.ts';
import type { PreparedPhoto } from './photo-file.ts';
import type { ProgressPanel } from './progress-panel.ts';
import { troubleOf, troubleText } from './trouble.ts';
import { usualStages } from './words.ts';
import { afterEvent, stagesOf, type StageView } from './stage-view.ts';

export interface Asked {
  readonly photo: PreparedPhoto;
  readonly question: string;
}

export interface Asking {
  /** Sends a photo and follows it to its end. */
  ask(asked: Asked): Promise<Resource>;
  /** Follows what somebody makes, such as an answer to the question back. */
  follow(make: (call: CallOptions) => Promise<Submitted>): Promise<Resource>;
  /** Shows a request that was made before; follows it if it has not ended. */
  open(id: string): Promise<Resource>;
  /** Ends what is under way: before it has an id by not sending it, afterwards by canceling it. */
  stop(): void;
  /** Looks away from what is under way, which goes on. */
  leave(): void;
  /** Whether just this is on its way already, as after a second tap on the button. */
  isUnderWay(asked: Asked): boolean;
  /** Of what was accepted last, if it has not ended as far as is known: nothing is to be sent for it again. */
  id(): string | null;
  /** Whether its person has stopped what was begun last. */
  isStopped(): boolean;
}

const blank: readonly StageView[] = usualStages.map((name) => ({
  name,
  state: 'waiting',
  startedAt: null,
  durationMs: null,
  tries: 0,
  cached: false,
}));
const unknownPlace: Place = { position: null, estimated_completion: null };

/** What was sent, and the key by which it is one request, however often it is sent. */
interface Sent {
  readonly asked: Asked;
  readonly lang: string;
  readonly key: string;
}

/**
 * One request after the other, shown while it is on its way. Only the latest is shown: what was begun before is left alone.
 * Every method throws what the client throws. @param onAccepted is told of each request once the service has it
 */
export function createAsking(page: Page, panel: ProgressPanel, onAccepted: (resource: Resource) => void): Asking {
  let current = new AbortController();
  let id: string | null = null;
  let isStopped = false;
  /** What was sent last and may have arrived. */
  let sent: Sent | null = null;
  let underWay: Sent | null = null;

  function begin(): AbortSignal {
    current.abort();
    current = new AbortController();
    id = null;
    underWay = null;
    isStopped = false;
    panel.wait(null);
    panel.show({ phase: 'sending', place: null, stages: blank, draft: '' });
    panel.focus();
    return current.signal;
  }

  function callOptions(signal: AbortSignal): CallOptions {
    return { signal, onRetry: (retry) => showRetry(panel, retry) };
  }

  async function follow(signal: AbortSignal, { resource, place }: Pick<Submitted, 'resource' | 'place'>) {
    panel.wait(null);
    // Told before anything else may go wrong: who loads the page anew finds it again.
    onAccepted(resource);
    if (hasEnded(resource)) return resource;
    ({ id } = resource);
    let stages = stagesOf(resource, Date.now());
    let draft = '';
    let isWorking = resource.status === 'running';
    const show = () => panel.show({ phase: isWorking ? 'working' : 'queued', place, stages, draft });
    show();
    const onEvent = (event: ClassificationEvent) => {
      panel.wait(null);
      isWorking ||= event.type.startsWith('stage.');
      stages = afterEvent(stages, event, Date.now());
      draft = withDelta(draft, event);
      show();
      announceStage(page, stages, event);
    };
    const onLook = (seen: Resource) => {
      panel.wait(null);
      isWorking = seen.status === 'running';
      stages = stagesOf(seen, Date.now());
      show();
    };
    const last = await page.client.wait(resource.id, { ...callOptions(signal), onEvent, onLook });
    id = null;
    return last;
  }

  function isLike(other: Sent | null, { photo, question }: Asked): other is Sent {
    return other?.asked.photo === photo && other.asked.question === question && other.lang === page.lang();
  }

  async function send(asked: Asked, signal: AbortSignal): Promise<Submitted> {
    const lang = page.lang();
    const key = isLike(sent, asked) ? sent.key : newIdempotencyKey();
    sent = { asked, lang, key };
    underWay = sent;
    await untilOnline(panel, signal);
    const options = { question: asked.question, locale: lang, idempotencyKey: key, ...callOptions(signal) };
    const submitted = await page.client.submit(asked.photo.blob, options);
    // It has arrived: asked once more after its end, it is meant as another request.
    sent = null;
    return submitted;
  }

  return {
    async ask(asked) {
      const signal = begin();
      try {
        return await follow(signal, await send(asked, signal));
      } finally {
        // What was begun after it is not its own to end.
        if (signal === current.signal) underWay = null;
      }
    },
    async follow(make) {
      const signal = begin();
      await untilOnline(panel, signal);
      return await follow(signal, await make(callOptions(signal)));
    },
    async open(of) {
      const signal = begin();
      await untilOnline(panel, signal);
      const resource = await page.client.get(of, callOptions(signal));
      return await follow(signal, { resource, place: unknownPlace });
    },
    stop() {
      isStopped = true;
      if (id === null) {
        current.abort();
        return;
      }
      const { signal } = current;
      page.client.cancel(id, callOptions(signal)).catch((error: unknown) => {
        const trouble = troubleOf(error);
        // One that ended in this moment is shown as it ended, and one that was left is shown no more.
        if (signal.aborted || trouble.code === 'already_ended') return;
        isStopped = false;
        panel.wait({ said: troubleText(trouble, page.words()) });
      });
    },
    leave() {
      current.abort();
      id = null;
      underWay = null;
      panel.hide();
    },
    isUnderWay: (asked) => isLike(underWay, asked),
    id: () => id,
    isStopped: () => isStopped,
  };
}

function showRetry(panel: ProgressPanel, { error, delayMs }: Retry): void {
  const kind = error.name === 'ProblemError' ? 'busy' : 'lost';
  panel.wait(navigator.onLine ? { kind, until: Date.now() + delayMs } : 'offline');
}

/** Text of the answer so far. */
function withDelta(draft: string, { type, offset, text = '' }: ClassificationEvent): string {
  return type === 'answer.delta' && offset !== undefined ? draft.slice(0, offset) + text : draft;
}

function announceStage(page: Page, stages: readonly StageView[], { type, stage }: ClassificationEvent): void {
  if (type !== 'stage.started' && type !== 'stage.retrying') return;
  const words = page.words();
  const at = stages.findIndex(({ name }) => name === stage);
  const view = stages[at];
  if (!view) return;
  page.announce(
    words.stageSaid(words.stages[view.name]?.name ?? view.name, words.stageStates[view.state], at + 1, stages.length),
  );
}

/** @throws the reason of an abort */
async function untilOnline(panel: ProgressPanel, signal: AbortSignal): Promise<void> {
  if (navigator.onLine) return;
  panel.wait('offline');
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    window.addEventListener('online', () => resolve(), { once: true, signal });
  });
  panel.wait(null);
}
