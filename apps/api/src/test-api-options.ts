import type { DeadLetters, FlowQueue, Spent } from '@bunri/runtime';
import type { BoardMode } from './board-mode.ts';
import type { Forecast } from './forecast.ts';
import type { MemoryGuard } from './memory-guard.ts';

/** What a test has otherwise than the API of `startTestApi` is by itself. */
export interface TestApiOptions {
  readonly redisUrl?: string;
  readonly now?: () => number;
  readonly perMinute?: number;
  readonly heartbeatMs?: number;
  readonly addFlow?: FlowQueue['add'];
  readonly memory?: MemoryGuard;
  readonly forecast?: Partial<Forecast>;
  readonly deadLetters?: Partial<DeadLetters>;
  readonly spent?: (owner: string) => Promise<Spent>;
  readonly photoBudgetBytes?: number;
  /** Null: no webhooks are taken. Default: one of this API's own. */
  readonly webhookKey?: Buffer | null;
  /** Hears of batches that have something to do; nobody brings them forward by itself. */
  readonly wakeBatch?: (id: string) => Promise<void>;
  readonly caps?: { readonly totalUsd?: number };
  readonly board?: BoardMode;
  /** Takes the place of putting an upload; `put` is the bucket's. */
  readonly putUpload?: (put: () => Promise<void>) => Promise<void>;
  /** Takes the place of removing objects; `remove` is the bucket's. */
  readonly removeObjects?: (remove: () => Promise<void>) => Promise<void>;
  /** Takes the place of reading an object; `get` is the bucket's. */
  readonly getObject?: (
    get: () => Promise<Uint8Array | null>,
    signal: AbortSignal | undefined,
  ) => Promise<Uint8Array | null>;
}
