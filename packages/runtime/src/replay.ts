import {
  isLookStage,
  isTerminal,
  looksOf,
  nothingUsed,
  stagesOf,
  type Request,
  type RequestStatus,
  type StageName,
  type StageOutput,
} from '@bunri/queue-contracts';
import { newRequestId, type FlowQueue } from './enqueue.ts';
import { flowOrder, toResource, type RequestRecord } from './record.ts';
import type { Idempotency } from './record-acceptance.ts';
import type { RecordStore } from './records.ts';
import { diffOutcomes, type ReplayDiff } from './replay-diff.ts';
import { traceAcceptance } from './tracing-acceptance.ts';

/** What to run again, and with which models instead of the configured ones. */
export interface ReplayModels {
  readonly visionModel?: string | undefined;
  readonly llmModel?: string | undefined;
}

/** `open`: the original has not ended; `no_image`: it has no normalised photo to begin with. */
export type ReplayRefusal = 'open' | 'no_image';

export type ReplayPlan =
  | { outcome: 'planned'; request: Request; outputs: Partial<Record<StageName, unknown>> }
  | { outcome: 'refused'; reason: ReplayRefusal };

const hourMs = 3600 * 1000;

/**
 * The request that repeats another for comparison. What the change does not touch is taken over from the original: with
 * only another llm model the classification and its rules, otherwise the photo alone, so that vision runs again with the
 * model that is given, or the configured one, and the present prompts. Pure. Times in epoch ms.
 */
export function planReplay(
  original: RequestRecord,
  { visionModel, llmModel }: ReplayModels,
  { id, now, deadlineMs = hourMs }: { id: string; now: number; deadlineMs?: number | undefined },
): ReplayPlan {
  if (!isTerminal(original.status)) return { outcome: 'refused', reason: 'open' };
  if (original.stages.preprocess.output === null) return { outcome: 'refused', reason: 'no_image' };
  const outputs = takeOver(original, llmModel !== undefined && visionModel === undefined ? 'rag' : 'preprocess');
  const { models, ...asked } = original.request;
  const request: Request = {
    ...asked,
    // Another vision model is compared with what the request had, whoever looked then.
    ...(visionModel === undefined ? whoLooked(models, outputs) : {}),
    id,
    priority: 'batch',
    createdAt: now,
    deadlineAt: now + deadlineMs,
    replay: {
      of: original.request.id,
      ...(visionModel === undefined ? {} : { visionModel }),
      ...(llmModel === undefined ? {} : { llmModel }),
    },
  };
  return { outcome: 'planned', request, outputs };
}

/**
 * Outputs of the stages up to this one, or to the first that the original does not have; of two that look, one is enough.
 * What was paid for then is not paid again: its usage is nothing.
 */
export function takeOver(original: RequestRecord, last: StageName): Partial<Record<StageName, unknown>> {
  const outputs: Partial<Record<StageName, unknown>> = {};
  const names = stagesOf(original.request.models);
  const hasLook = names.some((name) => isLookStage(name) && original.stages[name].status === 'completed');
  for (const name of names.slice(0, names.indexOf(last) + 1)) {
    const { status, output } = original.stages[name];
    const isThere = status === 'completed' && output !== null;
    if (!isThere && !(isLookStage(name) && hasLook)) break;
    if (isThere) outputs[name] = isLookStage(name) ? { ...(output as Look), usage: nothingUsed } : output;
  }
  return outputs;
}

type Look = StageOutput<'vision'>;

/** Of the models that were asked to look, those whose answers are taken over, if any are: the others are not asked again. */
export function whoLooked(
  models: Request['models'],
  outputs: Partial<Record<StageName, unknown>>,
): Pick<Request, 'models'> {
  if (!models) return {};
  const left = models.filter((model) => looksOf([model]).some((look) => look in outputs));
  return { models: left.length > 0 ? left : models };
}

/** The key of a replay was used for another one. */
export class ReplayKeyConflict extends Error {
  override readonly name = 'ReplayKeyConflict';
}

export type ReplayStart =
  /** `repeated`: its key was used before, and the record is that of the first replay. */
  | { outcome: 'accepted'; record: RequestRecord; queued: boolean; repeated: boolean }
  | { outcome: 'refused'; reason: ReplayRefusal; status: RequestStatus }
  | { outcome: 'gone' };

/**
 * Accepts and queues a replay. Its record is written first: whoever dies before its jobs are added leaves that to the
 * sweeper, and `queued` is false where they could not be added now. With an `idempotency` a repetition starts nothing new;
 * its key is one of the original's owner, so that whoever gives it keeps it apart from that owner's own.
 *
 * @throws ReplayKeyConflict
 */
export async function startReplay(
  { records, flows, now = Date.now }: { records: RecordStore; flows: Pick<FlowQueue, 'add'>; now?: () => number },
  originalId: string,
  change: ReplayModels & {
    readonly deadlineMs?: number | undefined;
    readonly idempotency?: Idempotency | undefined;
  } = {},
): Promise<ReplayStart> {
  const original = await records.get(originalId);
  if (!original) return { outcome: 'gone' };
  const plan = planReplay(original, change, { id: newRequestId(), now: now(), deadlineMs: change.deadlineMs });
  if (plan.outcome === 'refused') return { ...plan, status: original.status };
  const { request, outputs } = plan;
  const { idempotency } = change;
  const extra = { outputs, ...(idempotency && { idempotency }) };
  const accepted = await traceAcceptance(request, async (traced) => await records.accept(traced, extra));
  // Its owner has it deleted in this moment.
  if (accepted.outcome === 'unstored') return { outcome: 'gone' };
  if (accepted.outcome === 'conflict') throw new ReplayKeyConflict('the key belongs to another replay');
  const record = await records.get(accepted.id);
  if (!record) throw new Error('the store does not have what it has just accepted');
  // `existing` of our own id is our own command, repeated after a broken connection.
  const repeated = accepted.id !== request.id;
  if (repeated && record.status !== 'queued') return { outcome: 'accepted', record, queued: true, repeated };
  // While no worker has begun, whoever came first may have died before this; the same jobs are added only once.
  const queued = await flows.add(flowOrder(record)).then(
    () => true,
    () => false,
  );
  return { outcome: 'accepted', record, queued, repeated };
}

export type ReplayComparison =
  | { outcome: 'compared'; diff: ReplayDiff }
  /** It has not ended. */
  | { outcome: 'open'; status: RequestStatus }
  | { outcome: 'no_replay' }
  | { outcome: 'gone' }
  /** The request that it repeats is past its retention. */
  | { outcome: 'original_gone'; original: string };

/** What a finished replay changed. */
export async function compareReplay(records: Pick<RecordStore, 'get'>, replayId: string): Promise<ReplayComparison> {
  const replay = await records.get(replayId);
  if (!replay) return { outcome: 'gone' };
  const original = replay.request.replay?.of;
  if (original === undefined) return { outcome: 'no_replay' };
  if (!isTerminal(replay.status)) return { outcome: 'open', status: replay.status };
  const before = await records.get(original);
  if (!before) return { outcome: 'original_gone', original };
  return { outcome: 'compared', diff: diffOutcomes(toResource(before), toResource(replay)) };
}
