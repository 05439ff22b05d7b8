export * from './batch.ts';
export * from './daily-statistics.ts';
export * from './failures.ts';
export * from './pipeline.ts';
export * from './resource.ts';
export * from './schemas.ts';
export * from './side-queues.ts';
export * from './stages.ts';
