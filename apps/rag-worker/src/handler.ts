import { buildContext } from '@bunri/knowledge';
import type { Handler } from '@bunri/runtime';

/** Looks up the rules for what vision saw. Nothing is awaited: the rules are in memory, and a look-up takes a few ms. */
export function makeHandler({ tokenBudget }: { tokenBudget: number }): Handler<'rag'> {
  return async ({ request, vision }) => {
    const { question, locale } = request;
    const output = buildContext({ classification: vision.classification, question, locale, tokenBudget });
    return { output, cached: false };
  };
}
