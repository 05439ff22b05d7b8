// What the stages answer about one photo, for the tests of this folder.
import { buildContext } from '@bunri/knowledge';
import type { UsualStage, StageOutput } from '@bunri/queue-contracts';

const classification = {
  waste_category: 'recyclable' as const,
  subcategory: '투명페트병',
  item_id: null,
  item_name: '투명 페트병',
  confidence: 0.93,
  condition: { cap: 'on' as const, rinsed: 'no' as const, contamination: 'light' as const, label: 'on' as const },
  engine: { provider: 'simulator', model: 'gpt-5' },
};

export function sampleOutputs(question = '이거 어떻게 버려요?'): { [S in UsualStage]: StageOutput<S> } {
  const rag = buildContext({ classification, question, locale: 'ko', tokenBudget: 600 });
  const [rule] = rag.sentences;
  if (!rule) throw new Error('the sample context has no sentence');
  const { rule_id, version, text } = rule;
  const sha256 = 'c'.repeat(64);
  return {
    preprocess: { sha256, key: `images/${sha256}.jpg`, width: 800, height: 600, sizeBytes: 4 },
    vision: { classification, usage: { input_tokens: 900, output_tokens: 60, cost_usd: 0.002 } },
    rag,
    llm: {
      guidance: {
        answer: text,
        steps: [{ text, rule_ids: [rule_id] }],
        missing: [],
        warnings: [],
        sources: [{ rule_id, version }],
      },
      engine: { provider: 'simulator', model: 'gpt-4o-mini' },
      usage: { input_tokens: 700, output_tokens: 150, cost_usd: 0.0002 },
      droppedSteps: 0,
    },
  };
}
