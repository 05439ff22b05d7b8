import type { Redis } from 'ioredis';
import {
  createArchiver,
  createRecordStore,
  createResultCache,
  type FlowQueue,
  type Metrics,
  type Storage,
} from '@bunri/runtime';
import type { QueueGauges } from './queue-gauges.ts';
import type { TaskName } from './schedules.ts';
import type { Task } from './task.ts';
import { archiveFinished } from './tasks/archive-finished.ts';
import { cleanCaches } from './tasks/clean-caches.ts';
import { cleanupModels } from './tasks/cleanup-models.ts';
import { dailyStatistics } from './tasks/daily-statistics.ts';
import { deleteOldImages } from './tasks/delete-old-images.ts';
import { healthCheck } from './tasks/health-check.ts';
import { sweep } from './tasks/sweep.ts';

const hourMs = 3600 * 1000;
const dayMs = 24 * hourMs;

/** What each schedule runs. */
export function makeTasks(deps: {
  readonly config: {
    readonly IMAGE_RETENTION_DAYS: number;
    readonly FEEDBACK_RETENTION_DAYS: number;
    readonly CACHE_RETENTION_HOURS: number;
    readonly RECORD_RETENTION_HOURS: number;
    readonly DEAD_LETTER_RETENTION_HOURS: number;
  };
  readonly redis: Redis;
  readonly prefix: string;
  readonly storage: Storage;
  readonly flows: FlowQueue;
  readonly gauges: QueueGauges;
  readonly metrics: Metrics;
}): Record<TaskName, Task> {
  const { config, redis, prefix, storage, metrics } = deps;
  const records = createRecordStore({
    ...deps,
    retentionMs: config.RECORD_RETENTION_HOURS * hourMs,
    deadLetterRetentionMs: config.DEAD_LETTER_RETENTION_HOURS * hourMs,
  });
  const { keys } = records;
  return {
    health_check: healthCheck(deps),
    sweep: sweep({ ...deps, records }),
    archive_finished: archiveFinished({ archiver: createArchiver(records), metrics }),
    delete_old_images: deleteOldImages({
      storage,
      metrics,
      retentionMs: config.IMAGE_RETENTION_DAYS * dayMs,
      feedbackRetentionMs: config.FEEDBACK_RETENTION_DAYS * dayMs,
    }),
    clean_caches: cleanCaches({
      records,
      cache: createResultCache(deps),
      metrics,
      cacheRetentionMs: config.CACHE_RETENTION_HOURS * hourMs,
      recordRetentionMs: config.RECORD_RETENTION_HOURS * hourMs,
      deadLetterRetentionMs: config.DEAD_LETTER_RETENTION_HOURS * hourMs,
    }),
    daily_statistics: dailyStatistics({ redis, keys, prefix, storage }),
    cleanup_models: cleanupModels({ redis, keys }),
  };
}
