export * from './admit-models.ts';
export * from './after-running.ts';
export * from './api-keys.ts';
export * from './app.ts';
export * from './archive.ts';
export * from './archive-codec.ts';
export * from './audit.ts';
export * from './cache.ts';
export * from './circuit-breaker.ts';
export * from './clarify.ts';
export * from './config.ts';
export * from './daily-document.ts';
export {
  deadLetterFilterFields,
  matchesAll,
  toDeadLetterFilter,
  type DeadLetterFilter,
  type DeadLetterSummary,
} from './dead-letter-index.ts';
export * from './dead-letters.ts';
export * from './enqueue.ts';
export * from './errors.ts';
export * from './estimate.ts';
export * from './feed.ts';
export * from './image-references.ts';
export * from './inspection.ts';
export * from './keys.ts';
export * from './log.ts';
export * from './metrics.ts';
export * from './model-budget.ts';
export * from './model-cleanup.ts';
export * from './once-per-message.ts';
export * from './operator.ts';
export * from './pipeline-load.ts';
export * from './probes.ts';
export * from './process.ts';
export * from './record.ts';
export * from './records.ts';
export * from './record-outcomes.ts';
export * from './record-acceptance.ts';
export * from './record-reads.ts';
export * from './redis.ts';
export * from './request-cache.ts';
export * from './release-bytes.ts';
export * from './replay.ts';
export * from './replay-diff.ts';
export * from './sha256.ts';
export * from './single-flight.ts';
export * from './spending.ts';
export * from './stage.ts';
export * from './stage-run.ts';
export * from './stage-slots.ts';
export * from './statistics.ts';
export * from './storage.ts';
export * from './tracing.ts';
export * from './tracing-acceptance.ts';
