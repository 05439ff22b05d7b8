export { openModelFile, type ModelFile, type ModelFileOptions } from './engine.ts';
export type { ItemName } from './plan.ts';
export { uncalibratedCap, type LabelEstimate } from './probabilities.ts';
