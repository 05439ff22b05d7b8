import * as z from 'zod';
import type { Context, Guidance } from '@bunri/queue-contracts';
import { TransientError } from '@bunri/runtime';

/** What the model is asked to write. `answer` stands first, so that it is what streams first. */
export const guidanceAnswerSchema = z.strictObject({
  answer: z.string(),
  steps: z.array(z.strictObject({ text: z.string(), rule_ids: z.array(z.string()) })),
  missing: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type GuidanceAnswer = z.infer<typeof guidanceAnswerSchema>;

/**
 * The guidance that a model's answer stands for: only steps that a rule of the context supports, and the rules that they
 * cite as sources, in the order in which they are first cited. `droppedSteps` counts the steps that were left out.
 *
 * @throws TransientError `model_output_invalid` when no step or no answer is left.
 */
export function groundGuidance(
  answer: GuidanceAnswer,
  { sentences }: Pick<Context, 'sentences'>,
): { guidance: Guidance; droppedSteps: number } {
  const versions = new Map(sentences.map(({ rule_id, version }) => [rule_id, version]));
  const steps = answer.steps
    .map(({ text, rule_ids }) => ({
      text: text.trim(),
      rule_ids: [...new Set(rule_ids)].filter((id) => versions.has(id)),
    }))
    .filter(({ text, rule_ids }) => text !== '' && rule_ids.length > 0);
  const text = answer.answer.trim();
  if (text === '' || steps.length === 0) {
    throw new TransientError('model_output_invalid', 'The model wrote no guidance that the rules support. Try again.');
  }
  const cited = new Set(steps.flatMap(({ rule_ids }) => rule_ids));
  return {
    guidance: {
      answer: text,
      steps,
      missing: nonEmpty(answer.missing),
      warnings: nonEmpty(answer.warnings),
      sources: [...cited].map((rule_id) => ({ rule_id, version: versions.get(rule_id) ?? '' })),
    },
    droppedSteps: answer.steps.length - steps.length,
  };
}

function nonEmpty(texts: readonly string[]): string[] {
  return texts.map((text) => text.trim()).filter((text) => text !== '');
}
