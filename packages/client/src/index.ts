export * from './answers.ts';
export * from './batches.ts';
export * from './client.ts';
export { ConnectionError, isPassing, ProblemError, unexpectedAnswer, type FieldError } from './errors.ts';
export type { FollowOptions } from './events.ts';
export type { ExchangeOptions, Retry } from './exchange.ts';
export { newIdempotencyKey, type Photo, type Question } from './photo.ts';
