import { openCache, openRedis, openStorage, runApp, serveWorker } from '@bunri/runtime';
import { configSchema } from './config.ts';
import { createImageFetcher } from './fetch-image.ts';
import { makeHandler } from './handler.ts';
import { imageLimits } from './image-limits.ts';
import { confineDecoders, createNormaliser } from './normalise.ts';
import { lowerPoolPriority } from './pool-priority.ts';

const dayMs = 24 * 3600 * 1000;

runApp('preprocess-worker', configSchema, process.env, async (app) => {
  const { config } = app;
  confineDecoders();
  await lowerPoolPriority(app.log, Number(process.env['UV_THREADPOOL_SIZE'] || 4));
  const redis = openRedis(app, 'consumer');
  const storage = openStorage(app);
  const fetchImage = createImageFetcher({
    maxBytes: imageLimits.maxBytes,
    timeoutMs: config.IMAGE_URL_TIMEOUT_MS,
    allowHttp: config.ALLOW_HTTP_IMAGE_URLS,
    allowAddresses: config.IMAGE_URL_ADDRESSES,
  });
  const handler = makeHandler({
    storage,
    cache: openCache(app, redis),
    fetchImage,
    normalise: createNormaliser({
      decodeMemoryBytes: config.DECODE_MEMORY_MIB * 2 ** 20,
      decodeConcurrency: config.DECODE_CONCURRENCY,
    }),
    retentionMs: config.IMAGE_RETENTION_DAYS * dayMs,
  });
  await serveWorker(app, 'preprocess', redis, handler, { storage: async () => await storage.ready() });
});
