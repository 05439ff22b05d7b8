import * as z from 'zod';
import type { TokenCount } from './engine.ts';
import type { StructuredCall } from './model-request.ts';

const usdPerMillion = z.number().nonnegative();

/** By model: US dollars for a million tokens. `cachedInput` is the price of input that the provider's prefix cache served. */
export const pricesSchema = z.record(
  z.string().min(1),
  z.strictObject({ input: usdPerMillion, cachedInput: usdPerMillion, output: usdPerMillion }),
);
export type Prices = z.infer<typeof pricesSchema>;

/** Standard tier, from OpenAI's API pricing page (https://openai.com/api/pricing). Prices change: MODEL_PRICES overrides. */
export const defaultPrices: Prices = {
  'gpt-5': { input: 1.25, cachedInput: 0.125, output: 10 },
  'gpt-5-mini': { input: 0.25, cachedInput: 0.025, output: 2 },
  'gpt-4o': { input: 2.5, cachedInput: 1.25, output: 10 },
  'gpt-4o-mini': { input: 0.15, cachedInput: 0.075, output: 0.6 },
};

/** How the model API simulator names its models. */
export const simulatedModelPrefix = 'simulator/';

/**
 * What a call cost, in US dollars. Simulated models cost nothing.
 *
 * @throws when the model has no price; `assertPriced` tells so before any call is made.
 */
export function costUsd(prices: Prices, model: string, tokens: TokenCount): number {
  if (model.startsWith(simulatedModelPrefix)) return 0;
  const price = priceOf(prices, model);
  const uncached = tokens.input - tokens.cachedInput;
  return (uncached * price.input + tokens.cachedInput * price.cachedInput + tokens.output * price.output) / 1_000_000;
}

/**
 * For the start of a process. An API that answers under another name than it was asked by needs that name in the table
 * too, dated snapshots of a listed model excepted.
 *
 * @throws when the model has no price.
 */
export function assertPriced(prices: Prices, model: string): void {
  if (!model.startsWith(simulatedModelPrefix)) priceOf(prices, model);
}

const date = /-\d{4}-\d{2}-\d{2}$/;

function priceOf(prices: Prices, model: string): Prices[string] {
  // Answers name the snapshot that gave them: `gpt-5-2025-08-07` when `gpt-5` was asked.
  const undated = model.replace(date, '');
  const name = [model, undated].find((key) => Object.hasOwn(prices, key));
  const price = name === undefined ? undefined : prices[name];
  if (price === undefined) {
    throw new Error(
      `The model ${JSON.stringify(model)} has no price. Add it to MODEL_PRICES, in US dollars a million tokens: ` +
        `{${JSON.stringify(model)}: {"input": …, "cachedInput": …, "output": …}}. Priced: ${Object.keys(prices).join(', ')}.`,
    );
  }
  return price;
}

/** What a photo of about a megapixel counts as: between 765 (gpt-4o) and 1,500 (gpt-5) by OpenAI's guide to images. */
const imageTokens = 1_100;
export interface ExpectedTokens extends TokenCount {
  /** What the call allows, where `output` is what such calls usually take. */
  readonly mostOutput: number;
}

/** Of classifications and of guidance, thinking included. */
const typicalOutputTokens = 500;
/** Tokens a character: four of English make one; of Korean, about three make two. */
const tokensPerCharacter = { ascii: 0.25, other: 0.65 };

/**
 * About what a call will use, before it is made: `output` for budgets, which a call too many does not harm, `mostOutput` for
 * caps, which must hold. Nothing is taken to come from the provider's prefix cache; the schema is not counted.
 */
export function expectedTokens(
  call: Pick<StructuredCall<unknown>, 'instructions' | 'text' | 'image' | 'maxOutputTokens'>,
): ExpectedTokens {
  const text = textTokens(call.instructions) + textTokens(call.text);
  const mostOutput = call.maxOutputTokens ?? typicalOutputTokens;
  const output = Math.min(typicalOutputTokens, mostOutput);
  return { input: Math.ceil(text + (call.image ? imageTokens : 0)), cachedInput: 0, output, mostOutput };
}

function textTokens(text: string): number {
  // UTF-8 has two bytes more than there are characters for each Korean one, and none for ASCII.
  const others = (Buffer.byteLength(text) - text.length) / 2;
  return (text.length - others) * tokensPerCharacter.ascii + others * tokensPerCharacter.other;
}
