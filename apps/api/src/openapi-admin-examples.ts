import type * as z from 'zod';
import type {
  deadLetterPageSchema,
  handledManySchema,
  handledSchema,
  inspectionSchema,
  replayDiffSchema,
} from '@bunri/runtime';
import type { EvaluationCase, Feedback } from './feedback.ts';
import { resourceExample } from './openapi-examples.ts';
import { exampleId } from './openapi-parts.ts';
import type { replayAcceptedSchema } from './routes/replays.ts';

const replayId = 'req_019a7c41b0427d3e9f5a6b7c8d9e0f1a';
const { classification, image, stages, question, locale } = resourceExample;
if (!classification || !image) throw new Error('the example has not been answered');

export const deadLetterPageExample: z.input<typeof deadLetterPageSchema> = {
  data: [
    {
      id: exampleId,
      owner: 'ann',
      failed_at: '2026-11-22T09:00:41.000Z',
      age_seconds: 95,
      code: 'model_unavailable',
      stage: 'vision',
      attempts: 4,
      retryable: true,
      generation: 0,
    },
  ],
  next_cursor: null,
  unreadable: [],
};

const handled = (outcome: 'reopened' | 'purged') => ({ id: exampleId, outcome, detail: null });
export const reopenedExample: z.input<typeof handledSchema> = handled('reopened');
export const purgedExample: z.input<typeof handledSchema> = handled('purged');
const many = (outcome: 'reopened' | 'purged') => ({
  counts: { [outcome]: 1 },
  results: [handled(outcome)],
  left: 0,
  more: false,
});
export const reopenedManyExample: z.input<typeof handledManySchema> = many('reopened');
export const purgedManyExample: z.input<typeof handledManySchema> = many('purged');

const error = {
  code: 'model_unavailable',
  message: 'The model API is unavailable.',
  stage: 'vision',
  retryable: true,
} as const;

export const inspectionExample: z.input<typeof inspectionSchema> = {
  id: exampleId,
  owner: 'ann',
  status: 'failed',
  dead_letter: true,
  created_at: '2026-11-22T09:00:00.000Z',
  completed_at: '2026-11-22T09:00:41.000Z',
  deadline_at: '2026-11-22T09:02:00.000Z',
  priority: 'interactive',
  locale,
  generation: 0,
  replay_of: null,
  source: { kind: 'upload', key: `uploads/${exampleId}`, sha256: image.sha256, size_bytes: 483_112 },
  image: { key: `images/${image.sha256}.jpg`, sha256: image.sha256 },
  error,
  stages: stages.map((stage) => ({ ...stage, lost: 0 })),
  jobs: [
    {
      stage: 'vision',
      job_id: `${exampleId}-vision`,
      waits_for: ['preprocess'],
      state: 'failed',
      attempts_made: 4,
      added_at: '2026-11-22T09:00:00.004Z',
      processed_at: '2026-11-22T09:00:36.000Z',
      finished_at: '2026-11-22T09:00:41.000Z',
      failed_reason: 'the model API answered 503',
    },
  ],
};

const self = `/v1/admin/classifications/${replayId}`;
export const replayExample: z.input<typeof replayAcceptedSchema> = {
  id: replayId,
  replay_of: exampleId,
  queued: true,
  links: { self, diff: `${self}/diff` },
};

export const replayDiffExample: z.input<typeof replayDiffSchema> = {
  before: exampleId,
  after: replayId,
  same: true,
  classification: [],
  guidance: {},
  stages: [],
  cost: { stages: [], before_usd: 0.0142, after_usd: 0.0031, difference_usd: -0.0111 },
};

const { item_id: itemId, waste_category, subcategory } = classification;
export const feedbackExample: Feedback = {
  request_id: exampleId,
  question,
  locale,
  classification,
  item_id: itemId,
  outcome: { waste_category, subcategory },
  helpful: true,
  comment: null,
  requested_at: '2026-11-22T09:00:00.000Z',
  given_at: '2026-11-22T09:03:12.000Z',
};

const { engine: _engine, ...vision } = classification;
export const evaluationCaseExample: EvaluationCase = {
  id: `feedback-${exampleId}`,
  locale,
  question,
  vision,
  expect: { item_id: itemId ?? '', category: subcategory },
};
