export * from './engine.ts';
export * from './openai.ts';
export { createOpenAiClient, type OpenAiClientOptions, type StructuredCall } from './openai-responses.ts';
export * from './partial-answer.ts';
export * from './prices.ts';
export * from './metered-model.ts';
export * from './price-setting.ts';
export * from './prompt-data.ts';
