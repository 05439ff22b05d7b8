import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import {
  engineSchema,
  failureCodes,
  failureSchema,
  guidanceSchema,
  requestIdSchema,
  requestStatuses,
  usageSchema,
  type Guidance,
  type Resource,
  type Usage,
} from '@bunri/queue-contracts';

const changeOf = <Schema extends z.ZodType>(schema: Schema) => z.object({ before: schema, after: schema });
const difference = <Schema extends z.ZodType>(schema: Schema) =>
  z.object({ removed: z.array(schema), added: z.array(schema) });
const step = guidanceSchema.shape.steps.element;
const source = guidanceSchema.shape.sources.element;

const guidanceDiffSchema = z.object({
  answer: changeOf(z.string().nullable()).optional(),
  steps: difference(step)
    .extend({
      reworded: z.array(changeOf(z.string()).extend({ rule_ids: z.array(z.string()) })),
      reordered: z.boolean().meta({ description: 'Whether the steps that both have stand in another order.' }),
    })
    .optional()
    .meta({ description: 'Steps are the same step when they cite the same rules.' }),
  warnings: difference(z.string()).optional(),
  missing: difference(z.string()).optional(),
  sources: difference(source).optional(),
});

const stageDiffSchema = z.object({
  name: z.string(),
  taken_over: z
    .boolean()
    .meta({ description: 'The replay took the output of the original, and did not run the stage.' }),
  engine: changeOf(engineSchema.nullable()).optional(),
  degraded: changeOf(z.enum(failureCodes).nullable()).optional(),
  cached: changeOf(z.boolean()).optional(),
  duration_ms: changeOf(z.number().nullable())
    .extend({ difference: z.number().nullable() })
    .optional()
    .meta({ description: 'Of stages that the replay ran.' }),
});

const stageCostSchema = z.object({
  name: z.string(),
  taken_over: z.boolean(),
  before: usageSchema.nullable(),
  after: usageSchema.nullable().meta({ description: 'Null for a stage that was taken over or gave no output.' }),
  cost_difference_usd: z.number().nullable().meta({ description: 'Null where there is nothing to compare.' }),
});

/** What a replay changed. What is equal is not listed. */
export const replayDiffSchema = z
  .object({
    before: requestIdSchema,
    after: requestIdSchema,
    same: z.boolean().meta({ description: 'True when nothing differs but who answered, times and cost.' }),
    status: changeOf(z.enum(requestStatuses)).optional(),
    error: changeOf(failureSchema.nullable()).optional(),
    classification: z
      .array(changeOf(z.union([z.string(), z.number()]).nullable()).extend({ field: z.string() }))
      .meta({ description: 'Fields that differ, those of the condition as `condition.cap`.' }),
    guidance: guidanceDiffSchema,
    stages: z.array(stageDiffSchema),
    cost: z.object({
      stages: z.array(stageCostSchema),
      before_usd: z.number().meta({ description: 'Of the stages that the replay ran, in the original.' }),
      after_usd: z.number(),
      difference_usd: z
        .number()
        .meta({ description: 'After less before, of the stages that the replay ran: one taken over saves nothing.' }),
    }),
  })
  .meta({ id: 'ReplayDiff' });
export type ReplayDiff = z.infer<typeof replayDiffSchema>;

/** Compares a finished replay with its original. Pure. */
export function diffOutcomes(before: Resource, after: Resource): ReplayDiff {
  const status = change(before.status, after.status);
  const error = change(before.error, after.error);
  const classification = diffFields(flat(before.classification), flat(after.classification));
  const guidance = diffGuidance(before.guidance, after.guidance);
  const same = !status && !error && classification.length === 0 && Object.keys(guidance).length === 0;
  return {
    before: before.id,
    after: after.id,
    same,
    ...(status ? { status } : {}),
    ...(error ? { error } : {}),
    classification,
    guidance,
    stages: diffStages(before, after),
    cost: diffCost(before, after),
  };
}

function change<T>(before: T, after: T): { before: T; after: T } | undefined {
  return isDeepStrictEqual(before, after) ? undefined : { before, after };
}

type Fields = ReadonlyMap<string, string | number | null>;

/** What was decided, field by field; who made it is told with the stages. */
function flat(classification: Resource['classification']): Fields {
  if (!classification) return new Map();
  const { item_id, item_name, waste_category, subcategory, confidence, agreement, condition } = classification;
  const fields = { waste_category, subcategory, item_id, item_name, confidence, ...(agreement && { agreement }) };
  const conditions = Object.entries(condition).map(([name, value]) => [`condition.${name}`, value ?? null] as const);
  return new Map([...Object.entries(fields), ...conditions]);
}

function diffFields(before: Fields, after: Fields): ReplayDiff['classification'] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.flatMap((field) => {
    const changed = change(before.get(field) ?? null, after.get(field) ?? null);
    return changed ? [{ field, ...changed }] : [];
  });
}

function diffGuidance(before: Guidance | null, after: Guidance | null): ReplayDiff['guidance'] {
  const answer = change(before?.answer ?? null, after?.answer ?? null);
  const steps = diffSteps(before?.steps ?? [], after?.steps ?? []);
  const warnings = diffLists(before?.warnings ?? [], after?.warnings ?? []);
  const missing = diffLists(before?.missing ?? [], after?.missing ?? []);
  const sources = diffLists(before?.sources ?? [], after?.sources ?? []);
  return {
    ...(answer ? { answer } : {}),
    ...(steps ? { steps } : {}),
    ...(warnings ? { warnings } : {}),
    ...(missing ? { missing } : {}),
    ...(sources ? { sources } : {}),
  };
}

/** What is only in one of them, as often as it is there more; the order does not matter. */
function diffLists<T>(before: readonly T[], after: readonly T[]): { removed: T[]; added: T[] } | undefined {
  const added = [...after];
  const removed = before.filter((value) => {
    const at = added.findIndex((other) => isDeepStrictEqual(other, value));
    if (at >= 0) added.splice(at, 1);
    return at < 0;
  });
  return removed.length + added.length === 0 ? undefined : { removed, added };
}

type Step = Guidance['steps'][number];

function diffSteps(before: readonly Step[], after: readonly Step[]): ReplayDiff['guidance']['steps'] {
  const left = after.map((step, at) => ({ step, at }));
  const take = (fits: (step: Step) => boolean) => {
    const at = left.findIndex(({ step }) => fits(step));
    return at < 0 ? undefined : left.splice(at, 1)[0];
  };
  // Equal ones find each other first, so that of two steps under one rule the unchanged one is not taken for reworded.
  const equal = before.map((step) => take((other) => cites(other) === cites(step) && other.text === step.text));
  const pairs = before.map((step, i) => ({ step, other: equal[i] ?? take((other) => cites(other) === cites(step)) }));
  const removed = pairs.flatMap(({ step, other }) => (other ? [] : [step]));
  const reworded = pairs.flatMap(({ step, other }) => {
    if (!other || other.step.text === step.text) return [];
    return [{ rule_ids: step.rule_ids, before: step.text, after: other.step.text }];
  });
  const places = pairs.flatMap(({ other }) => (other ? [other.at] : []));
  const reordered = places.some((at, i) => i > 0 && at < (places[i - 1] ?? 0));
  const added = left.map(({ step }) => step);
  if (removed.length + added.length + reworded.length === 0 && !reordered) return undefined;
  return { removed, added, reworded, reordered };
}

function cites({ rule_ids: ids }: Step): string {
  return ids.toSorted().join('\n');
}

type Stage = Resource['stages'][number];

/** A stage that was completed without ever having been started. */
function isTakenOver({ status, attempts }: Stage): boolean {
  return status === 'completed' && attempts === 0;
}

function diffStages(before: Resource, after: Resource): ReplayDiff['stages'] {
  return after.stages.flatMap((stage): ReplayDiff['stages'] => {
    const { name } = stage;
    const was = before.stages.find((other) => other.name === name);
    if (isTakenOver(stage)) return [{ name, taken_over: true }];
    const engine = change(was?.engine ?? null, stage.engine);
    const degraded = change(was?.degraded ?? null, stage.degraded);
    const cached = change(was?.cached ?? false, stage.cached);
    const duration = change(was?.duration_ms ?? null, stage.duration_ms);
    if (!engine && !degraded && !cached && !duration) return [];
    return [
      {
        name,
        taken_over: false,
        ...(engine ? { engine } : {}),
        ...(degraded ? { degraded } : {}),
        ...(cached ? { cached } : {}),
        ...(duration ? { duration_ms: { ...duration, difference: minus(duration.after, duration.before) } } : {}),
      },
    ];
  });
}

function diffCost(before: Resource, after: Resource): ReplayDiff['cost'] {
  const stages = (['vision', 'llm'] as const).map((name) => {
    const stage = after.stages.find((other) => other.name === name);
    const taken = stage !== undefined && isTakenOver(stage);
    const was = before.usage[name] ?? null;
    const is = taken ? null : (after.usage[name] ?? null);
    return {
      name,
      taken_over: taken,
      before: was,
      after: is,
      cost_difference_usd: minus(is?.cost_usd ?? null, was?.cost_usd ?? null),
    };
  });
  const ran = stages.filter((stage) => !stage.taken_over);
  const sum = (usages: (Usage | null)[]) => rounded(usages.reduce((total, usage) => total + (usage?.cost_usd ?? 0), 0));
  const beforeUsd = sum(ran.map((stage) => stage.before));
  const afterUsd = sum(ran.map((stage) => stage.after));
  return { stages, before_usd: beforeUsd, after_usd: afterUsd, difference_usd: rounded(afterUsd - beforeUsd) };
}

function minus(after: number | null, before: number | null): number | null {
  return after === null || before === null ? null : rounded(after - before);
}

/** Sums of binary fractions, without their noise: to a billionth. */
function rounded(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}
