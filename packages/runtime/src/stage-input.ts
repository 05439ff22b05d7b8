import {
  failure,
  isLookStage,
  usualLooks,
  type Failure,
  type LookStage,
  type Request,
  type StageName,
  type StageOutput,
} from '@bunri/queue-contracts';
import { PermanentError } from './errors.ts';
import type { RecordStore, StageRun } from './records.ts';

/** Nobody saw what the photo shows: both looks have failed. */
export class NobodyLooked extends PermanentError {
  /** Of the model of the API, where that is known. */
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.code, failure.message);
    this.failure = failure;
  }
}

type Look = StageOutput<'vision'>;
type Outputs = Partial<Record<StageName, unknown>>;

/** Whether the stage is one of two that look at the same photo, so that its failure is not the request's. */
export function isSibling({ stage, looks = usualLooks }: Pick<StageRun, 'stage' | 'looks'>): boolean {
  return looks.length > 1 && isLookStage(stage);
}

/**
 * Whether a local look comes before preprocess, which no job of its own waits for, has a result. It is woken then; looking
 * again after a moment makes good where that word is lost.
 */
export async function comesEarly(run: StageRun, records: Pick<RecordStore, 'isAwaited'>): Promise<boolean> {
  return isSibling(run) && run.stage === 'vision.local' && (await records.isAwaited(run.id, 'preprocess'));
}

/**
 * What a stage works on: the request and the outputs that it reads. Where others look than the usual one, `vision` is what
 * they saw: to rag the first answer and `secondOpinion`, to later stages what rag made of both.
 *
 * @throws NobodyLooked
 */
export async function stageInput(
  run: StageRun,
  { request, outputs }: { readonly request: Request; readonly outputs: Outputs },
  records: Pick<RecordStore, 'failuresOf'>,
): Promise<Record<string, unknown>> {
  const { stage, looks = usualLooks } = run;
  if (looks === usualLooks) return { request, ...outputs };
  if (isLookStage(stage)) return { request, ...outputs };
  if (stage === 'preprocess') return { request };
  const { 'vision.local': _local, vision: _vision, ...others } = outputs;
  const context = outputs.rag as StageOutput<'rag'> | undefined;
  const answers = looks.flatMap((look) => (outputs[look] as Look | undefined) ?? []);
  const [first, second] = answers.length < looks.length ? await withReason(run, answers, looks, records) : answers;
  if (!first) throw new Error('a request has nobody who looks');
  const vision = context?.seen ? { ...first, classification: context.seen } : first;
  return { request, ...others, vision, ...(second && stage === 'rag' ? { secondOpinion: second } : {}) };
}

/** The answer of the one that has one, with why the other has none. */
async function withReason(
  { id }: StageRun,
  [answer]: readonly Look[],
  looks: readonly LookStage[],
  records: Pick<RecordStore, 'failuresOf'>,
): Promise<Look[]> {
  const failures = await records.failuresOf(id, looks);
  const reason = looks.flatMap((look) => failures[look] ?? [])[0] ?? lost(looks);
  if (!answer) throw new NobodyLooked(reason);
  return [{ ...answer, degraded: answer.degraded ?? reason.code }];
}

/** Its job is gone, and nobody has said why. */
function lost([look]: readonly LookStage[]): Failure {
  return failure('worker_lost', 'A stage ended without a word. Send the request again.', look);
}
