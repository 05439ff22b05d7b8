import { PermanentError, TransientError } from '@bunri/runtime';
import type { Bell } from './bell.ts';
import type { InferenceEngine } from './engine.ts';

/** A local model with its place in the budget. */
export interface HeldModel<Task, Value> {
  readonly engine: InferenceEngine<Task, Value>;
  /** All but `out` take room. */
  state: 'out' | 'loading' | 'loaded' | 'unloading';
  /** As declared, or as it said when it was last loaded. */
  bytes: number;
  /** Calls that need it, from before its load to their end. */
  holders: number;
  usedAt: number;
  /** The load that all calls share, there until the model is unloaded. */
  ready: Promise<void> | undefined;
  /** Its last unload. */
  gone: Promise<void> | undefined;
}

/** `asked` by whoever holds the engine, or at the end of the process. */
export const whyUnloaded = ['idle', 'room', 'too_large', 'asked'] as const;
export type WhyUnloaded = (typeof whyUnloaded)[number];

export interface ModelRoom<Task, Value> {
  readonly budgetBytes: number;
  /** How long a load waits for room while all models are busy. */
  readonly roomWaitMs: number;
  /** Rung whenever a call or a load has ended, or a model is out. */
  readonly changed: Bell;
  readonly models: () => Iterable<HeldModel<Task, Value>>;
  readonly unload: (model: HeldModel<Task, Value>, why: WhyUnloaded) => Promise<void>;
}

/** The loaded models that no call needs. */
export function idleModels<Task, Value>(models: Iterable<HeldModel<Task, Value>>): HeldModel<Task, Value>[] {
  return [...models].filter(({ state, holders }) => state === 'loaded' && holders === 0);
}

/**
 * Brings a model in, for which idle ones make room, the one first that was used least recently.
 *
 * @throws PermanentError `engine_too_large`; TransientError `engine_out_of_memory`; what the engine's load throws.
 */
export async function bringIn<Task, Value>(model: HeldModel<Task, Value>, room: ModelRoom<Task, Value>): Promise<void> {
  const { engine } = model;
  if (model.bytes > room.budgetBytes) throw tooLarge(engine.model, model.bytes, room.budgetBytes);
  await model.gone;
  await takeRoom(model, room);
  try {
    await engine.load();
  } catch (error) {
    model.state = 'out';
    throw error;
  }
  model.bytes = engine.memoryBytes() || model.bytes;
  await keepWithin(model, room);
  model.state = 'loaded';
}

async function takeRoom<Task, Value>(model: HeldModel<Task, Value>, room: ModelRoom<Task, Value>): Promise<void> {
  const giveUpAt = performance.now() + room.roomWaitMs;
  while (isOver(model, room)) {
    if (await evict(room)) continue;
    const leftMs = giveUpAt - performance.now();
    if (leftMs <= 0 || !(await room.changed.heard(leftMs))) throw noRoom(model.engine.model);
  }
  // In the same turn as the last look at the budget: two that load at once must not both take the same room.
  model.state = 'loading';
}

/** A model that is loaded may be larger than it was thought to be. */
async function keepWithin<Task, Value>(model: HeldModel<Task, Value>, room: ModelRoom<Task, Value>): Promise<void> {
  const { engine, bytes } = model;
  if (bytes > room.budgetBytes) {
    await room.unload(model, 'too_large');
    throw tooLarge(engine.model, bytes, room.budgetBytes);
  }
  while (isOver(model, room)) {
    if (await evict(room)) continue;
    await room.unload(model, 'room');
    throw noRoom(engine.model);
  }
}

function isOver<Task, Value>(model: HeldModel<Task, Value>, room: ModelRoom<Task, Value>): boolean {
  const others = [...room.models()].filter((other) => other !== model && other.state !== 'out');
  return others.reduce((sum, { bytes }) => sum + bytes, model.bytes) > room.budgetBytes;
}

/** @returns false where every model is needed. */
async function evict<Task, Value>(room: ModelRoom<Task, Value>): Promise<boolean> {
  const [oldest] = idleModels(room.models()).toSorted((a, b) => a.usedAt - b.usedAt);
  if (oldest) await room.unload(oldest, 'room');
  return oldest !== undefined;
}

function tooLarge(model: string, bytes: number, budgetBytes: number): PermanentError {
  return new PermanentError(
    'engine_too_large',
    `The local model ${model} needs ${mebibytes(bytes)}, and this worker has ${mebibytes(budgetBytes)} for models; its operator must give it more or choose another model.`,
  );
}

function noRoom(model: string): TransientError {
  return new TransientError(
    'engine_out_of_memory',
    `Other local models leave no room for ${model} on this worker; try again later.`,
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
