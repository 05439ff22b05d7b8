import { publicItems, type PublicItems } from '@bunri/knowledge';
import type { Resource } from '@bunri/queue-contracts';
import type * as z from 'zod';
import type { Deletion } from './deletion.ts';
import { exampleId } from './openapi-parts.ts';
import type { queuesSchema } from './routes/queues.ts';
import type { acceptedSchema } from './submitted-answer.ts';
import type { uploadSchema } from './uploads.ts';

const hash = 'd6f0c1b2a3948576e5d4c3b2a19080706f5e4d3c2b1a09182736455463728190';
const at = (second: string) => `2026-11-22T09:00:${second}Z`;
const engine = (model: string) => ({ provider: 'openai', model, prompt_version: '2' });
const outcome = { waste_category: 'recyclable', subcategory: '투명페트병', rule_id: null } as const;

const stage = (name: string, model: string | null, startedAt: string, durationMs: number) => ({
  name,
  status: 'completed' as const,
  started_at: at(startedAt),
  duration_ms: durationMs,
  attempts: 1,
  cached: false,
  engine: model === null ? null : engine(model),
  degraded: null,
});

/** A request that went well. */
export const resourceExample: Resource = {
  id: exampleId,
  status: 'completed',
  created_at: at('00.000'),
  completed_at: at('05.241'),
  deadline_at: '2026-11-22T09:02:00.000Z',
  stages: [
    stage('preprocess', null, '00.020', 74),
    stage('vision', 'gpt-5', '00.101', 3_702),
    stage('rag', null, '03.811', 6),
    stage('llm', 'gpt-4o-mini', '03.824', 1_415),
  ],
  image: { sha256: hash, width: 768, height: 1024 },
  question: '뚜껑은 어떻게 하나요?',
  locale: 'ko',
  classification: {
    waste_category: 'recyclable',
    subcategory: '투명페트병',
    item_id: 'clear-pet-bottle',
    item_name: '투명 페트병',
    confidence: 0.94,
    condition: { cap: 'on', rinsed: 'yes', contamination: 'none', label: 'on' },
    engine: engine('gpt-5'),
  },
  guidance: {
    answer: '라벨을 떼고 찌그러뜨린 뒤 뚜껑을 닫아 투명페트병 수거함에 넣으세요.',
    steps: [{ text: '라벨을 떼어 비닐류로 배출합니다.', rule_ids: ['clear-pet-bottle.step.label'] }],
    missing: [],
    warnings: [],
    outcome,
    sources: [{ rule_id: 'clear-pet-bottle.step.label', version: '1' }],
  },
  clarification: null,
  clarifies: null,
  usage: {
    vision: { input_tokens: 8_850, output_tokens: 310, cost_usd: 0.0142 },
    llm: { input_tokens: 1_010, output_tokens: 140, cost_usd: 0.0002 },
  },
  cached: false,
  degraded: false,
  replay_of: null,
  models: null,
  region: null,
  metadata: { ticket: '4711' },
  webhook_url: null,
  batch: null,
  trace_id: null,
  error: null,
};

/** A request that has just been accepted. */
const open: Resource = {
  ...resourceExample,
  status: 'queued',
  completed_at: null,
  stages: resourceExample.stages.map(({ name }) => ({
    name,
    status: 'pending',
    started_at: null,
    duration_ms: null,
    attempts: 0,
    cached: false,
    engine: null,
    degraded: null,
  })),
  image: null,
  classification: null,
  guidance: null,
  usage: {},
};

export const canceledExample: Resource = { ...open, status: 'canceled', completed_at: at('01.500') };

const self = `/v1/classifications/${exampleId}`;
export const acceptedExample: z.input<typeof acceptedSchema> = {
  ...open,
  position: 3,
  estimated_completion: { p50: at('05.500'), p95: at('09.000') },
  links: { self, events: `${self}/events`, cancel: self },
};

export const eventsExample = [
  'retry: 2000',
  `id: 1\nevent: accepted\ndata: {"seq":1,"type":"accepted","at":"${at('00.000')}"}`,
  `id: 2\nevent: stage.started\ndata: {"stage":"preprocess","attempt":1,"seq":2,"type":"stage.started","at":"${at('00.020')}"}`,
  '',
].join('\n\n');

const uploadId = 'upload_019a7c3e5d2f7b1c8e4a6f0d3b5c7e91';
export const uploadExample: z.input<typeof uploadSchema> = {
  upload_id: uploadId,
  method: 'PUT',
  url: `https://bunri-photos.s3.ap-northeast-2.amazonaws.com/uploads/${uploadId}?X-Amz-Signature=0f1e2d3c`,
  headers: { 'content-type': 'image/jpeg', 'content-length': '483112' },
  expires_at: '2026-11-22T10:00:00.000Z',
  max_bytes: 10_485_760,
};

const removed = { removed: true, reason: null };
const none = { removed: false, reason: 'none' } as const;
export const deletionExample: Deletion = {
  id: exampleId,
  status: 'deleted',
  record: removed,
  events: removed,
  dead_letter: none,
  idempotency_key: removed,
  feedback: none,
  upload: removed,
  image: { removed: false, reason: 'other_requests' },
  results: { removed: false, reason: 'other_requests' },
};

const queue = (name: string, slots: number, workers: number) => ({
  name,
  jobs: { waiting: 2, active: 4, delayed: 0, waiting_children: 0, failed: 0 },
  paused: false,
  slots,
  workers,
  oldest_waiting_seconds: 0.4,
});
export const queuesExample: z.input<typeof queuesSchema> = {
  queues: [queue('preprocess', 24, 3), queue('vision', 100, 5), queue('rag', 8, 2), queue('llm', 30, 3)],
  estimates: {
    interactive: { position: 6, p50_seconds: 5.5, p95_seconds: 9 },
    batch: { position: 6, p50_seconds: 5.5, p95_seconds: 9 },
  },
};

/** The first item of the catalogue as it is, with its sources. */
export function itemsExample(): PublicItems {
  const all = publicItems('en');
  const items = all.items.slice(0, 1);
  const cited = new Set(items.flatMap(({ rules }) => rules.map(({ source_id: id }) => id)));
  return { ...all, items, sources: all.sources.filter(({ id }) => cited.has(id)) };
}
