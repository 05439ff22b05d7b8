import * as z from 'zod';
import { assertPriced, type Prices } from './prices.ts';

export type ProviderName = 'primary' | 'fallback';

/** What `VISION_MODEL` and the end of `VISION_FALLBACKS` call the model that ships with bunri. */
export const localName = 'local';
/** What `LLM_MODEL` and the end of `LLM_FALLBACKS` call guidance that is made from the rules alone. */
export const rulesName = 'rules';

export interface Fallbacks {
  readonly models: readonly { readonly provider: ProviderName; readonly model: string }[];
  /** Whether the local model answers where none of them does. */
  readonly local: boolean;
  /** Whether the rules answer where no model does. */
  readonly rules: boolean;
}

/**
 * Reads a list such as `primary:gpt-4o,fallback:qwen2.5,rules` or `primary:gpt-4o,local`, or `none`; its syntax was checked
 * with the settings.
 */
export function readFallbacks(list: string): Fallbacks {
  const entries = list === 'none' ? [] : list.split(',');
  const models = entries
    .filter((entry) => entry.includes(':'))
    .map((entry) => {
      const colon = entry.indexOf(':');
      const provider: ProviderName = entry.slice(0, colon) === 'fallback' ? 'fallback' : 'primary';
      return { provider, model: entry.slice(colon + 1) };
    });
  return { models, local: entries.includes(localName), rules: entries.includes(rulesName) };
}

/** Whether a first choice needs no API: it is made on this machine, and stands before no provider. */
export function isBuiltIn(model: string): boolean {
  return model === localName || model === rulesName;
}

interface ChainSettings {
  readonly OPENAI_API_KEY?: string | undefined;
  readonly FALLBACK_API_KEY?: string | undefined;
  readonly FALLBACK_BASE_URL?: string | undefined;
  readonly MODEL_PRICES: Prices;
}

/**
 * Names every setting of a chain that refers to what is not there, at the start, not at the first outage. The key of
 * the first provider is for `hasModelKey`, which is asked whatever else is wrong.
 */
export function checkFallbacks<Settings extends ChainSettings>(
  setting: string & keyof Settings,
  model: string & keyof Settings,
): (settings: Settings, context: z.RefinementCtx<Settings>) => void {
  return (settings, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const { FALLBACK_API_KEY, FALLBACK_BASE_URL, MODEL_PRICES } = settings;
    if (FALLBACK_API_KEY && !FALLBACK_BASE_URL) refuse('FALLBACK_BASE_URL', 'is required with FALLBACK_API_KEY');
    if (FALLBACK_BASE_URL && !FALLBACK_API_KEY) refuse('FALLBACK_API_KEY', 'is required with FALLBACK_BASE_URL');
    const first = String(settings[model]);
    const { models, local } = readFallbacks(String(settings[setting]));
    if (local && first === localName) refuse(setting, `names ${localName}, which stands before it already`);
    if (first === rulesName && models.length > 0) refuse(setting, 'names models behind the rules, which always answer');
    const names = new Set([`primary:${first}`]);
    for (const { provider, model: fallback } of models) {
      const name = `${provider}:${fallback}`;
      if (names.has(name)) refuse(setting, `names ${name}, which stands before it already`);
      names.add(name);
      if (provider === 'fallback' && !(FALLBACK_API_KEY && FALLBACK_BASE_URL)) {
        refuse(setting, `names ${name}, but FALLBACK_API_KEY and FALLBACK_BASE_URL are not given`);
      }
      try {
        assertPriced(MODEL_PRICES, fallback);
      } catch (error) {
        refuse(setting, error instanceof Error ? error.message : String(error));
      }
    }
  };
}

/**
 * Whether the settings name a model of the first provider, so that its key is required. For `refine`, which then tells
 * it together with every other problem: `refine(hasModelKey(…), missingModelKey)`.
 */
export function hasModelKey(model: string, fallbacks: string): (settings: unknown) => boolean {
  return (given) => {
    const settings = z.record(z.string(), z.unknown()).safeParse(given).data ?? {};
    const text = (name: string) => (typeof settings[name] === 'string' ? settings[name] : '');
    const { models } = readFallbacks(text(fallbacks));
    const isAsked = !isBuiltIn(text(model)) || models.some(({ provider }) => provider === 'primary');
    return !isAsked || text('OPENAI_API_KEY') !== '';
  };
}

export const missingModelKey = { path: ['OPENAI_API_KEY'], error: 'is required', when: () => true };
