export * from './embedded-redis.ts';
export * from './embedded-s3.ts';
export * from './free-port.ts';
export * from './hostile-photos.ts';
export * from './photos.ts';
export * from './processes.ts';
export * from './model-api-simulator.ts';
export type { CallKind, Fault, FaultPlan, FaultRule } from './simulator-faults.ts';
export type { SimulatorLimits } from './simulator-limits.ts';
