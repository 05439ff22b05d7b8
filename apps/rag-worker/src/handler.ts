import { buildContext, shippedKnowledge } from '@bunri/knowledge';
import type { Handler, Metrics } from '@bunri/runtime';
import { mergeOpinions } from './merge-opinions.ts';

interface Dependencies {
  readonly tokenBudget: number;
  readonly metrics: Pick<Metrics, 'retrievalSeconds'>;
}

/** Looks up the rules for what vision saw. Nothing is awaited: the rules are in memory, and a look-up takes a few ms. */
export function makeHandler({ tokenBudget, metrics }: Dependencies): Handler<'rag'> {
  // Before the first job, and not in it.
  const knowledge = shippedKnowledge();
  return async ({ request, vision, secondOpinion }) => {
    const { question, locale, clarifies: chosen } = request;
    const started = performance.now();
    const seen = secondOpinion && mergeOpinions(vision.classification, secondOpinion.classification);
    const classification = seen ?? vision.classification;
    const context = buildContext({ classification, question, locale, tokenBudget, chosen }, knowledge);
    metrics.retrievalSeconds.observe({ by: context.match }, (performance.now() - started) / 1000);
    return { output: { ...context, ...(seen && { seen }) }, cached: false };
  };
}
