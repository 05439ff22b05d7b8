import { buildContext, catalogue, itemById } from '@bunri/knowledge';
import type { Classification, Locale } from '@bunri/queue-contracts';
import { percentile } from '../measure.ts';
import { alone, type Scenario } from '../scenario.ts';

/** What the default rag worker gives an answer. */
const tokenBudget = 800;

const unseen: Classification = {
  waste_category: 'general',
  subcategory: '',
  item_id: null,
  item_name: '',
  confidence: 0,
  condition: { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown' },
  engine: { provider: 'bench', model: 'none' },
};

interface Look {
  readonly question: string;
  readonly locale: Locale;
  readonly classification: Classification;
}

/** Every item once a language, by each of the names that people call it. */
function byText(): Look[] {
  return catalogue.items.flatMap(({ names, aliases }) => [
    ...[names.ko, ...aliases.ko].map(
      (name) =>
        ({ question: `${name} 다 썼는데 이거 어떻게 버려야 하나요?`, locale: 'ko', classification: unseen }) as const,
    ),
    ...[names.en, ...aliases.en].map(
      (name) => ({ question: `How do I throw away my old ${name}?`, locale: 'en', classification: unseen }) as const,
    ),
  ]);
}

function byId(): Look[] {
  return catalogue.items.map(({ id, names, wasteCategory, subcategory }) => ({
    question: '라벨을 떼야 하나요?',
    locale: 'ko',
    classification: {
      ...unseen,
      waste_category: wasteCategory,
      subcategory,
      item_id: id,
      item_name: names.ko,
      confidence: 0.95,
    },
  }));
}

/** Each look-up's time in milliseconds. */
function time(looks: readonly Look[]): { ms: number[]; found: number } {
  let found = 0;
  const ms = looks.map((look) => {
    const before = performance.now();
    const { item_id } = buildContext({ ...look, tokenBudget });
    const after = performance.now();
    if (item_id !== null && itemById(item_id)) found += 1;
    return after - before;
  });
  return { ms, found };
}

/** The look-up of the rag stage over the whole catalogue, in this process. */
export const lookup: Scenario = {
  name: 'lookup',
  summary: 'the look-up of rules, by item and by the words of a question',
  async run({ rounds, say }) {
    const kinds = { id: byId(), text: byText() };
    for (const looks of Object.values(kinds)) time(looks);
    const spread = (looks: readonly Look[]) =>
      Array.from({ length: rounds }, (_, round) => {
        say(`round ${round + 1} of ${rounds}`);
        const { ms } = time(looks);
        return { p50: percentile(ms, 0.5), p99: percentile(ms, 0.99) };
      });
    const [id, text] = [spread(kinds.id), spread(kinds.text)];
    return await Promise.resolve({
      figures: [
        alone(
          'by item, p50, ms',
          id.map(({ p50 }) => p50),
        ),
        alone(
          'by item, p99, ms',
          id.map(({ p99 }) => p99),
          { atMost: 1 },
        ),
        alone(
          'by text, p50, ms',
          text.map(({ p50 }) => p50),
        ),
        alone(
          'by text, p99, ms',
          text.map(({ p99 }) => p99),
          { atMost: 10 },
        ),
      ],
      notes: [
        `${catalogue.items.length} items by id; ${kinds.text.length} questions by text, one for each name, of which ${time(kinds.text).found} found an item.`,
      ],
    });
  },
};
