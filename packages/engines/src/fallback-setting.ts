import type { z } from 'zod';
import { assertPriced, type Prices } from './prices.ts';

export type ProviderName = 'primary' | 'fallback';

export interface Fallbacks {
  readonly models: readonly { readonly provider: ProviderName; readonly model: string }[];
  /** Whether the rules answer where no model does. */
  readonly rules: boolean;
}

/** Reads a list such as `primary:gpt-4o,fallback:qwen2.5,rules`, or `none`; its syntax was checked with the settings. */
export function readFallbacks(list: string): Fallbacks {
  const entries = list === 'none' ? [] : list.split(',');
  const models = entries
    .filter((entry) => entry !== 'rules')
    .map((entry) => {
      const colon = entry.indexOf(':');
      const provider: ProviderName = entry.slice(0, colon) === 'fallback' ? 'fallback' : 'primary';
      return { provider, model: entry.slice(colon + 1) };
    });
  return { models, rules: entries.includes('rules') };
}

interface ChainSettings {
  readonly FALLBACK_API_KEY?: string | undefined;
  readonly FALLBACK_BASE_URL?: string | undefined;
  readonly MODEL_PRICES: Prices;
}

/** Names every setting of a chain that refers to what is not there, at the start, not at the first outage. */
export function checkFallbacks<Settings extends ChainSettings>(
  setting: string & keyof Settings,
  model: string & keyof Settings,
): (settings: Settings, context: z.RefinementCtx<Settings>) => void {
  return (settings, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const { FALLBACK_API_KEY, FALLBACK_BASE_URL, MODEL_PRICES } = settings;
    if (FALLBACK_API_KEY && !FALLBACK_BASE_URL) refuse('FALLBACK_BASE_URL', 'is required with FALLBACK_API_KEY');
    if (FALLBACK_BASE_URL && !FALLBACK_API_KEY) refuse('FALLBACK_API_KEY', 'is required with FALLBACK_BASE_URL');
    const { models } = readFallbacks(String(settings[setting]));
    const names = new Set([`primary:${String(settings[model])}`]);
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
