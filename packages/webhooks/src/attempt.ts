import { inTrace, type Logger, type Metrics } from '@bunri/runtime';
import type { Attempt, Deliveries, DeliveryError, Settlement } from './deliveries.ts';
import { kindOf, type EventSources, type WebhookJob } from './events.ts';
import type { Lanes } from './lanes.ts';
import { waitAfter } from './schedule.ts';
import type { WebhookSecrets } from './secrets.ts';
import type { Sender, SendResult } from './send.ts';
import { signatureHeaders } from './signature.ts';

/** What is to become of the job: nothing more, another attempt after this time, or this one later, as if it had not been. */
export type Verdict =
  | { readonly next: 'done' }
  | { readonly next: 'retry'; readonly waitMs: number }
  | { readonly next: 'defer'; readonly waitMs: number };

export interface AttemptDeps {
  readonly sources: EventSources;
  readonly deliveries: Deliveries;
  readonly secrets: Pick<WebhookSecrets, 'ensure'>;
  readonly lanes: Lanes;
  readonly send: Sender;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => number;
  readonly random: () => number;
  /** Default: the schedule of the Standard Webhooks specification. */
  readonly waitsMs?: readonly number[] | undefined;
}

/** Which attempt this is, from 1, and of how many. */
export interface Turn {
  readonly attempt: number;
  readonly of: number;
}

type Ended = { readonly status: 'delivered' } | { readonly status: 'failed'; readonly reason: DeliveryError };
type Outcome = Ended | { readonly status: 'pending'; readonly reason: DeliveryError; readonly retryAfterMs: number };

const gone = 410;

/**
 * Makes one attempt to tell an event. Whenever the process dies, the job is made again: the receiver may hear the same
 * `webhook-id` twice, never not at all.
 *
 * The event is told as its subject stands when it is told. What is gone by then is not told; nor what has changed since,
 * as a failed request that was retried: its next end is an event of its own.
 */
export function createAttempt(deps: AttemptDeps) {
  const { sources, deliveries, lanes, metrics, now } = deps;
  const count = (outcome: string) => metrics.webhookDeliveries.inc({ outcome });

  async function end(job: WebhookJob, settlement: Settlement, outcome: string): Promise<Verdict> {
    await deliveries.settle(job, settlement);
    count(outcome);
    deps.log.info('webhook ended', { ...facts(job), outcome, reason: settlement.reason });
    return { next: 'done' };
  }

  async function endOrRetry(job: WebhookJob, turn: Turn, attempt: Attempt, outcome: Outcome): Promise<Verdict> {
    if (outcome.status !== 'pending') {
      const { status } = outcome;
      return await end(job, { ...outcome, attempt }, status === 'delivered' ? status : wordOf(outcome.reason));
    }
    const { reason, retryAfterMs } = outcome;
    if (job.asked === 'again') return await end(job, { status: 'unchanged', attempt }, 'exhausted');
    if (turn.attempt >= turn.of) return await end(job, { status: 'failed', reason, attempt }, 'exhausted');
    const waitMs = waitAfter(turn.attempt, { waitsMs: deps.waitsMs, retryAfterMs, random: deps.random() });
    await deliveries.settle(job, { status: 'pending', reason, attempt, nextAttemptAt: now() + waitMs });
    count(reason === 'endpoint_paused' ? 'paused' : 'retried');
    return { next: 'retry', waitMs };
  }

  /** Told already, or not to be told. */
  async function endBefore(job: WebhookJob): Promise<Verdict | null> {
    if (job.asked !== undefined) return null;
    // The outbox may hand an event over twice, also when it was told in between.
    if ((await deliveries.status(job.id)) === 'delivered') return { next: 'done' };
    if (!(await deliveries.isGone(job.owner, job.url))) return null;
    return await end(job, { status: 'failed', reason: 'endpoint_gone' }, 'gone');
  }

  async function tell(job: WebhookJob, turn: Turn, signal: AbortSignal): Promise<Verdict & { failed?: boolean }> {
    const subject = await sources[kindOf(job.type)]?.read(job.subject);
    if (!subject) return await end(job, { status: 'failed', reason: 'subject_gone' }, 'lost');
    if (subject.seq !== job.seq) return await end(job, { status: 'failed', reason: 'superseded' }, 'superseded');
    const body = JSON.stringify({ type: job.type, timestamp: new Date(job.at).toISOString(), data: subject.data });
    const secrets = await deps.secrets.ensure(job.owner);
    const at = now();
    const signed = { id: job.id, timestampS: Math.floor(at / 1000), body };
    const headers = signatureHeaders(
      secrets.map(({ secret }) => secret),
      signed,
    );
    const send = async () => await deps.send({ url: job.url, headers, body }, signal);
    const result = await sendTraced(subject.trace, job, send);
    const durationMs = Math.max(0, Math.round(now() - at));
    metrics.webhookAttemptSeconds.observe(durationMs / 1000);
    const outcome = judge(result);
    if (outcome.status === 'delivered') await deliveries.markBack(job.owner, job.url);
    if ('status' in result && result.status === gone) await deliveries.markGone(job.owner, job.url);
    const verdict = await endOrRetry(job, turn, toAttempt(at, durationMs, result, outcome), outcome);
    return { ...verdict, failed: outcome.status === 'pending' && isHoldingUp(result) };
  }

  return async (job: WebhookJob, turn: Turn, signal: AbortSignal): Promise<Verdict> => {
    const before = await endBefore(job);
    if (before) return before;
    const entry = lanes.enter(job.owner, job.url, job.asked !== undefined);
    if (!entry.admitted && entry.reason === 'busy') return { next: 'defer', waitMs: entry.waitMs };
    if (!entry.admitted) {
      const attempt = { at: now(), durationMs: 0, status: null, error: 'endpoint_paused', excerpt: '' } as const;
      return await endOrRetry(job, turn, attempt, { status: 'pending', reason: 'endpoint_paused', retryAfterMs: 0 });
    }
    let failed = false;
    try {
      const { failed: slow = false, ...verdict } = await tell(job, turn, signal);
      failed = slow;
      return verdict;
    } catch (error) {
      if (signal.aborted) return { next: 'defer', waitMs: 0 };
      deps.log.error('webhook attempt broke', { ...facts(job), error });
      const attempt = { at: now(), durationMs: 0, status: null, error: 'internal_error', excerpt: '' } as const;
      return await endOrRetry(job, turn, attempt, { status: 'pending', reason: 'internal_error', retryAfterMs: 0 });
    } finally {
      entry.leave(failed ? 'failed' : 'answered');
    }
  };
}
export type MakeAttempt = ReturnType<typeof createAttempt>;

/** The receiver is told nothing of the trace: it is somebody else's system. */
async function sendTraced(
  traceparent: string | undefined,
  { type, url }: WebhookJob,
  send: () => Promise<SendResult>,
): Promise<SendResult> {
  const attributes = { 'bunri.event': type, 'server.address': new URL(url).hostname };
  const plan = () => ({ name: `webhook ${type}`, kind: 'client' as const, attributes });
  return await inTrace(traceparent, plan, async (span) => {
    const result = await send();
    if ('error' in result) span?.fail(result.error);
    else span?.set({ 'http.response.status_code': result.status });
    return result;
  });
}

/** Only the host of the URL: the rest may hold a key of the receiver. */
function facts({ id, type, owner, url }: WebhookJob) {
  return { event_id: id, event: type, owner, host: new URL(url).host };
}

function wordOf(reason: DeliveryError): string {
  return reason === 'url_forbidden' ? 'forbidden' : 'gone';
}

/** Any 2xx is a yes, and 410 a no for good; everything else, redirects too, may be otherwise another time. */
function judge(result: SendResult): Outcome {
  if ('error' in result) {
    if (result.error === 'url_forbidden') return { status: 'failed', reason: 'url_forbidden' };
    return { status: 'pending', reason: result.error, retryAfterMs: 0 };
  }
  const { status, retryAfterMs } = result;
  if (status >= 200 && status < 300) return { status: 'delivered' };
  if (status === gone) return { status: 'failed', reason: 'endpoint_gone' };
  return { status: 'pending', reason: 'status', retryAfterMs };
}

/** Whether the endpoint itself is in trouble, and not just this message. */
function isHoldingUp(result: SendResult): boolean {
  return 'error' in result || result.status >= 500 || result.status === 429;
}

function toAttempt(at: number, durationMs: number, result: SendResult, outcome: Outcome): Attempt {
  const error = outcome.status === 'delivered' ? null : outcome.reason;
  if ('error' in result) return { at, durationMs, status: null, error, excerpt: '' };
  return { at, durationMs, status: result.status, error, excerpt: result.excerpt };
}
