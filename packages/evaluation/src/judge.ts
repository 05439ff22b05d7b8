import { catalogue, itemById } from '@bunri/knowledge';
import type { Context, Guidance, Usage } from '@bunri/queue-contracts';
import type { Case } from './cases.ts';

/** What an engine made of a case. Times in milliseconds. */
export interface Answer {
  readonly context: Context;
  readonly guidance: Guidance;
  readonly usage: Usage;
  readonly ragMs: number;
  readonly llmMs: number;
  /** Why a fallback answered; null where none did. */
  readonly degraded: string | null;
}

/** What became of one case. A null means that the case does not ask for it. */
export interface Verdict {
  readonly id: string;
  readonly locale: Case['locale'];
  readonly tags: readonly string[];
  readonly categoryRight: boolean | null;
  readonly itemRight: boolean | null;
  readonly clarificationRight: boolean | null;
  readonly asked: boolean;
  /** Cited rules, and those of them that speak of the expected item; null without an expected item. */
  readonly cited: number;
  readonly citedRightly: number | null;
  readonly requiredRules: number;
  readonly missingRules: readonly string[];
  /** The forbidden statements that the guidance makes, as they stand in it. */
  readonly forbidden: readonly string[];
  /** Where the guidance sends the thing, in words. */
  readonly destination: string;
}

/** Compares an answer with what its case expects. */
export function judge(each: Case, { context, guidance }: Answer): Verdict {
  const { destinations, itemId, rules, clarification } = each.expect;
  const outcome = guidance.outcome ?? context.outcome;
  const cited = new Set(guidance.sources.map(({ rule_id }) => rule_id));
  const text = [guidance.answer, ...guidance.steps.map((step) => step.text), ...guidance.warnings].join('\n');
  const asked = context.clarification !== undefined;
  return {
    id: each.id,
    locale: each.locale,
    tags: each.tags,
    categoryRight:
      destinations.length === 0
        ? null
        : destinations.some(
            ({ category, streams }) =>
              outcome?.waste_category === category && (streams?.includes(outcome.subcategory) ?? true),
          ),
    itemRight: itemId === undefined ? null : context.item_id === itemId,
    clarificationRight: clarification === undefined ? null : asked === clarification,
    asked,
    cited: cited.size,
    citedRightly: itemId === undefined ? null : [...cited].filter((id) => speaksOf(itemId, id, rules)).length,
    requiredRules: rules.length,
    missingRules: rules.filter((rule) => !cited.has(rule)),
    forbidden: each.forbidden.flatMap((pattern) => pattern.exec(text)?.[0] ?? []),
    destination: outcome ? `${outcome.waste_category} (${outcome.subcategory})` : 'nowhere',
  };
}

/** A rule of the item itself or of its group, one that the case names, or one that holds for everything. */
function speaksOf(itemId: string, ruleId: string, required: readonly string[]): boolean {
  const item = itemById(itemId);
  const group = catalogue.groups.find(({ subcategories }) => item && subcategories.includes(item.subcategory));
  const general = [...catalogue.recyclableRules, ...catalogue.genericRules, ...(group?.rules ?? [])];
  return ruleId.startsWith(`${itemId}/`) || required.includes(ruleId) || general.some(({ id }) => id === ruleId);
}
