import * as z from 'zod';
import type { Context, Guidance } from '@bunri/queue-contracts';

/** What the model is asked to write. `answer` stands first, so that it is what streams first. */
export const guidanceAnswerSchema = z.strictObject({
  answer: z.string(),
  steps: z.array(z.strictObject({ text: z.string(), rule_ids: z.array(z.string()) })),
  missing: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type GuidanceAnswer = z.infer<typeof guidanceAnswerSchema>;

/**
 * The guidance that a model's answer stands for: only steps that a rule of the context supports, the rules that they cite
 * as sources, in the order in which they are first cited, and the outcome of the context. `droppedSteps` counts the steps
 * that were left out. Whether what is left may be shown is for `checkGuidance` to say.
 */
export function groundGuidance(
  answer: GuidanceAnswer,
  { sentences, outcome }: Pick<Context, 'sentences' | 'outcome'>,
): { guidance: Guidance; droppedSteps: number } {
  const versions = new Map(sentences.map(({ rule_id, version }) => [rule_id, version]));
  const steps = answer.steps
    .map(({ text, rule_ids }) => ({
      text: withoutListNumber(text),
      rule_ids: [...new Set(rule_ids)].filter((id) => versions.has(id)),
    }))
    .filter(({ text, rule_ids }) => text !== '' && rule_ids.length > 0);
  const cited = new Set(steps.flatMap(({ rule_ids }) => rule_ids));
  return {
    guidance: {
      answer: answer.answer.trim(),
      steps,
      missing: nonEmpty(answer.missing),
      warnings: nonEmpty(answer.warnings),
      ...(outcome && { outcome }),
      sources: [...cited].map((rule_id) => ({ rule_id, version: versions.get(rule_id) ?? '' })),
    },
    droppedSteps: answer.steps.length - steps.length,
  };
}

const listNumber = /^\(?\d{1,2}[.)]\s+/u;

/** Steps stand in a list anyway: a number of their own would be a number that no rule knows. */
function withoutListNumber(text: string): string {
  return text.trim().replace(listNumber, '');
}

function nonEmpty(texts: readonly string[]): string[] {
  return texts.map((text) => text.trim()).filter((text) => text !== '');
}
