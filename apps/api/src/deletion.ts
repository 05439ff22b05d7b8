import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { requestIdSchema } from '@bunri/queue-contracts';
import { redactRow, type BatchStore } from '@bunri/batches';
import {
  dayInSeoul,
  objectKeys,
  stageOutput,
  type ImageReferences,
  type Logger,
  type Metrics,
  type RecordStore,
  type RequestRecord,
  type Storage,
} from '@bunri/runtime';
import { Problem } from './problem.ts';
import { uploadIdOf, uploadName } from './uploads.ts';

const reasons = {
  none: 'there was none',
  other_requests: 'other requests refer to it',
  unknown: 'nobody can tell any more whether others refer to it; it goes when its retention ends',
  batch: 'it belongs to a batch, and goes with that',
  unfinished:
    'a worker had the photo in hand when the request ended; what it stored since goes when its retention ends',
} as const;
type Reason = keyof typeof reasons;

const partSchema = z.object({
  removed: z.boolean(),
  reason: z
    .enum(Object.keys(reasons) as [Reason, ...Reason[]])
    .nullable()
    .meta({
      description: `Why not. ${Object.entries(reasons)
        .map(([name, text]) => `\`${name}\`: ${text}`)
        .join('; ')}.`,
    }),
});
type Part = z.infer<typeof partSchema>;

/** What became of everything that a request had left. */
export const deletionSchema = z
  .object({
    id: requestIdSchema,
    status: z.literal('deleted'),
    record: partSchema.meta({ description: 'The question, the answer, and all else that `GET` told.' }),
    events: partSchema,
    dead_letter: partSchema,
    idempotency_key: partSchema.meta({ description: 'Whether the key may be used anew.' }),
    feedback: partSchema,
    upload: partSchema.meta({ description: 'The file as it was sent.' }),
    image: partSchema.meta({ description: 'The picture that was made of it, which identical photos share.' }),
    results: partSchema.meta({ description: 'What was kept for reuse of that picture.' }),
  })
  .meta({
    id: 'Deletion',
    description: 'Counts in statistics and lines in logs stay: they hold nothing of the request.',
  });
export type Deletion = z.infer<typeof deletionSchema>;

export interface DeletionDeps {
  readonly records: RecordStore;
  readonly references: ImageReferences;
  readonly storage: Storage;
  /** Where rows of batches have their results. */
  readonly batches: BatchStore;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** One run of it. */
type Deleting = DeletionDeps & { readonly by: string };

const removed: Part = { removed: true, reason: null };
const kept = (reason: Reason): Part => ({ removed: false, reason });
const removedIf = (was: boolean): Part => (was ? removed : kept('none'));

/** What is to be done about an object, and what is told of it. */
interface Fate {
  readonly part: Part;
  /** Where it is to be removed. */
  readonly key: string | null;
}

/**
 * Removes a request that has ended, with all that nobody else refers to. The record goes last: whatever breaks before leaves
 * a request that can be deleted again, and that comes to the same end.
 *
 * @throws Problem `not_found`, `not_ended` where it was opened again; TransientError `storage_unavailable`
 */
export async function deleteRequest(given: DeletionDeps, record: RequestRecord): Promise<Deletion> {
  const deps = { ...given, by: randomUUID() };
  const { references, storage } = deps;
  const { id, owner, source } = record.request;
  const marked = await references.mark(id);
  if (marked !== 'marked') throw notDeleted(marked);
  await redactRow({ ...deps, store: deps.batches }, record);
  const uploadId = uploadIdOf(source);
  const hash = stageOutput(record, 'preprocess')?.sha256 ?? null;
  const upload = await fateOfUpload(deps, record, uploadId);
  const { results, ...image } = await fateOfImage(deps, record, hash);
  const feedback = await fateOf(storage, objectKeys.feedback(dayInSeoul(record.request.createdAt), id));
  if (hash !== null) await references.removeResults(hash, results);
  await storage.remove([upload, image, feedback].flatMap(({ key }) => key ?? []));
  const names = [
    ...(uploadId === null ? [] : [{ name: uploadName(uploadId), fate: upload }]),
    ...(hash === null ? [] : [{ name: hash, fate: image }]),
  ];
  // One that was condemned and not found is as gone as one that was removed.
  const isGone = ({ fate }: (typeof names)[number]) => fate.part.removed || fate.part.reason === 'none';
  const of = (gone: boolean) => names.filter((each) => isGone(each) === gone).map(({ name }) => name);
  const what = { by: deps.by, removed: of(true), kept: of(false) };
  const erased = await references.erase({ id, owner, claim: record.claim }, what);
  if (erased.outcome !== 'erased') throw notDeleted(erased.outcome);
  return {
    id,
    status: 'deleted',
    record: removed,
    events: removed,
    dead_letter: removedIf(erased.deadLetter),
    idempotency_key: removedIf(erased.claim),
    feedback: feedback.part,
    upload: upload.part,
    image: image.part,
    results: image.part.removed ? removedIf(results.length > 0) : image.part,
  };
}

function notDeleted(outcome: 'open' | 'gone'): Problem {
  if (outcome === 'open') return new Problem('not_ended', 'The request was opened again. Cancel it first.');
  return new Problem('not_found', 'The request is gone already.');
}

/** An object that this request alone can have. */
async function fateOf(storage: Storage, key: string): Promise<Fate> {
  const found = await storage.head(key);
  return { part: removedIf(found !== null), key: found && key };
}

async function fateOfUpload(
  { records, references, storage, by }: Deleting,
  record: RequestRecord,
  uploadId: string | null,
): Promise<Fate> {
  const { id, source } = record.request;
  const key = source.kind === 'url' ? objectKeys.upload(id) : source.key;
  if (uploadId === null) {
    // A replay, and an answer to a question back, name the upload of the request that they go on from.
    if (key === objectKeys.upload(id)) {
      const fate = await fateOf(storage, key);
      return source.kind === 'url' && fate.key === null ? { ...fate, part: kept(whyAbsent(record)) } : fate;
    }
    return { part: kept(key.startsWith('uploads/') ? 'other_requests' : 'batch'), key: null };
  }
  const condemned = await references.condemn(id, uploadName(uploadId), by);
  if (condemned.outcome !== 'free') return { part: keptBecause(condemned.outcome), key: null };
  // Nobody submits it from here on. Whoever was before that has left a reference by now, and is asked for once more.
  await records.redis.unlink(records.keys.upload(uploadId));
  const again = await references.condemn(id, uploadName(uploadId), by);
  if (again.outcome !== 'free') return { part: keptBecause(again.outcome), key: null };
  return { part: removed, key };
}

async function fateOfImage(
  { references, storage, by }: Deleting,
  record: RequestRecord,
  hash: string | null,
): Promise<Fate & { results: string[] }> {
  if (hash === null) return { part: kept(whyAbsent(record)), key: null, results: [] };
  const condemned = await references.condemn(record.request.id, hash, by);
  if (condemned.outcome !== 'free') return { part: keptBecause(condemned.outcome), key: null, results: [] };
  return { ...(await fateOf(storage, objectKeys.image(hash))), results: condemned.results };
}

function keptBecause(outcome: 'shared' | 'unknown'): Part {
  return kept(outcome === 'shared' ? 'other_requests' : 'unknown');
}

/** Why a request has nothing of what preprocess makes, as far as can be known. */
function whyAbsent({ stages: { preprocess } }: RequestRecord): Reason {
  return preprocess.status === 'running' ? 'unfinished' : 'none';
}
