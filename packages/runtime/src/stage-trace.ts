import { stages, type StageName } from '@bunri/queue-contracts';
import type { StageRun } from './records.ts';
import type { RunEnd } from './stage-run.ts';
import { errorType, recordSpan, type SpanPlan, type TraceSpan } from './tracing.ts';

/** The span of one run, by OpenTelemetry's conventions for messaging as far as they have words for it. */
export function runSpan({ id, stage }: StageRun, jobId: string): SpanPlan {
  return {
    name: `process ${stage}`,
    kind: 'consumer',
    attributes: {
      'messaging.system': 'bullmq',
      'messaging.operation.type': 'process',
      'messaging.destination.name': stages[stage].queue,
      'messaging.message.id': jobId,
      'bunri.request_id': id,
    },
  };
}

interface Start {
  readonly trace: string | undefined;
  /** How often the stage was started, this time included. */
  readonly starts: number;
  readonly startedAt: number;
  readonly waitedMs: number;
}

/** What is known once the record has let the run begin: how often that was, and how long the request had waited. */
export function tellStart(span: TraceSpan, stage: StageName, { trace, starts, startedAt, waitedMs }: Start): void {
  span.set({ 'bunri.starts': starts });
  const plan = () => ({ name: `wait ${stage}`, startedAt: startedAt - waitedMs });
  recordSpan(plan, { endedAt: startedAt, traceparent: trace });
}

/** How the run ended; of an error only its code. */
export function tellEnd(span: TraceSpan | null, { end, cached }: { end: RunEnd; cached: boolean }): void {
  span?.set({ 'bunri.outcome': end.end, 'bunri.cached': cached });
  if ('error' in end) span?.fail(errorType(end.error));
}
