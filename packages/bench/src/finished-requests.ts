import { randomBytes } from 'node:crypto';
import { buildContext, searchItems } from '@bunri/knowledge';
import {
  stageOrder,
  wasteCategories,
  type Classification,
  type Context,
  type Locale,
  type Request,
  type UsualStage,
  type StageOutput,
} from '@bunri/queue-contracts';
import type { RecordStore } from '@bunri/runtime';

/** Everything that the pipeline writes about one request. */
export interface Story {
  readonly request: Request;
  readonly outputs: { readonly [S in UsualStage]: StageOutput<S> };
  /** Pieces of the answer that a listener saw; none where nobody listened. */
  readonly deltas: readonly string[];
}

const things: Record<Locale, readonly string[]> = {
  ko: ['페트병', '우유팩', '형광등', '건전지', '스티로폼', '피자 상자', '유리병', '비닐봉지', '소파', '달걀 껍데기'],
  en: ['plastic bottle', 'milk carton', 'battery', 'pizza box', 'glass bottle', 'sofa', 'toothbrush', 'newspaper'],
};
const questions: Record<Locale, (thing: string, n: number) => string> = {
  ko: (thing, n) => `이 ${thing}은 어떻게 버려야 하나요? 라벨과 뚜껑도 따로 떼어야 하는지 알려 주세요. (${n})`,
  en: (thing, n) => `How do I throw this ${thing} away, and do the label and the cap have to come off? (${n})`,
};
/** As long as the api gives an interactive request. */
const deadlineMs = 120_000;
const engine = { provider: 'openai', model: 'gpt-5-2025-08-07', prompt_version: '1' };
const writer = { provider: 'openai', model: 'gpt-4o-mini-2024-07-18', prompt_version: '1' };

/** A time-ordered id as it would have been given out then (UUID v7, RFC 9562). */
export function idAt(createdAt: number): string {
  const random = randomBytes(10).toString('hex');
  return `req_${createdAt.toString(16).padStart(12, '0')}7${random.slice(0, 3)}8${random.slice(3, 18)}`;
}

/**
 * What request number `n` leaves behind, with rules from the catalogue and guidance of their length: three of four in
 * Korean, every second one watched while it was written, each with a photo of its own.
 */
export function tell(n: number, owner: string, createdAt: number): Story {
  const locale = n % 4 === 3 ? 'en' : 'ko';
  const thing = things[locale][n % things[locale].length] ?? '';
  const question = questions[locale](thing, n);
  const id = idAt(createdAt);
  const classification = classify(thing, locale, n);
  const context = buildContext({ classification, question, locale, tokenBudget: 800 });
  const guidance = write(context, locale);
  const [upload, image] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
  const usage = (input: number, output: number) => ({
    input_tokens: input + (n % 90),
    output_tokens: output + (n % 40),
    cost_usd: Math.round((input * 1.25 + output * 10 + (n % 97)) * 10) / 1e7,
  });
  return {
    request: {
      id,
      owner,
      question,
      locale,
      source: { kind: 'upload', key: `uploads/${id}`, sha256: upload, sizeBytes: 200_000 + (n % 100_000) },
      priority: 'interactive',
      createdAt,
      deadlineAt: createdAt + deadlineMs,
    },
    outputs: {
      preprocess: {
        sha256: image,
        key: `images/${image}.jpg`,
        width: 1024,
        height: 768,
        sizeBytes: 90_000 + (n % 9_000),
      },
      vision: { classification, usage: usage(3_600, 60) },
      rag: context,
      llm: { guidance, engine: writer, usage: usage(700, 200), droppedSteps: 0 },
    },
    deltas: n % 2 === 0 ? pieces(guidance.answer, 3 + (n % 8)) : [],
  };
}

function classify(thing: string, locale: Locale, n: number): Classification {
  const [match] = searchItems(thing, locale, 1);
  return {
    waste_category: wasteCategories[n % 2] ?? 'recyclable',
    subcategory: locale === 'ko' ? '무색페트병' : 'clear PET',
    item_id: match?.item_id ?? null,
    item_name: match?.item_name ?? thing,
    confidence: Math.round((0.7 + (n % 30) / 100) * 100) / 100,
    condition: { cap: 'on', rinsed: n % 3 === 0 ? 'no' : 'yes', contamination: 'light', label: 'on' },
    engine,
  };
}

/** The answer in words of its own, as a model's: in the order of the rules, with other words between and no sentence repeated whole. */
function write({ sentences }: Context, locale: Locale): StageOutput<'llm'>['guidance'] {
  const between = locale === 'ko' ? ['그리고 ', '다음으로 ', '또한 '] : ['Then ', 'After that ', 'Also, '];
  const retold = (text: string) => text.split(' ').toReversed().join(' ');
  const steps = sentences.map(({ text, rule_id }) => ({ text, rule_ids: [rule_id] }));
  return {
    answer: sentences.map(({ text }, i) => `${between[i % between.length]}${retold(text)}`).join(' ') || '-',
    steps,
    missing: [],
    warnings: [],
    sources: sentences.map(({ rule_id, version }) => ({ rule_id, version })),
  };
}

function pieces(text: string, count: number): string[] {
  const length = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, i) => text.slice(i * length, (i + 1) * length)).filter(Boolean);
}

/** Takes a request through its whole life in the store, as api and workers do. */
export async function play(records: RecordStore, { request, outputs, deltas }: Story): Promise<void> {
  await records.accept(request);
  for (const stage of stageOrder) {
    const run = { id: request.id, stage, token: `107eb4ae-2767-455c-8e91-5600950c2ffe:${request.createdAt % 1000}` };
    const started = await records.start(run);
    if (started.outcome !== 'started') throw new Error(`${stage} of a played request was ${started.outcome}`);
    let offset = 0;
    for (const piece of stage === 'llm' ? deltas : []) {
      await records.delta(run, offset, piece);
      offset += piece.length;
    }
    const durationMs = 300 + (request.createdAt % 700);
    const finished = await records.finish(run, { output: outputs[stage], durationMs, cached: false });
    if (finished.outcome !== 'finished') throw new Error(`${stage} of a played request was ${finished.outcome}`);
  }
}
