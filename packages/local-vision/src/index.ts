export { materialsModel, openLocalVision, type LocalVision, type LocalVisionOptions } from './engine.ts';
export type { MaterialEstimate } from './head.ts';
export { shippedHeadPath } from './head-file.ts';
