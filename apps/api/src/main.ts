import { shippedKnowledge } from '@bunri/knowledge';
import { runApp } from '@bunri/runtime';
import { createApp } from './app.ts';
import { configSchema } from './config.ts';
import { openDeps } from './deps.ts';
import { serveApp } from './server.ts';

runApp('api', configSchema, process.env, async (app) => {
  const { config, log, life } = app;
  const stopping = new AbortController();
  const deps = await openDeps(app, stopping.signal);
  // Before anybody waits: the first search would make them all wait for the second that it takes.
  shippedKnowledge();
  const server = await serveApp(createApp(deps), { port: config.PORT, host: config.HOST });
  life.onStop('http', async () => {
    // Streams and waits end first: their clients go on at another process.
    stopping.abort();
    await server.close(config.GRACE_MS);
  });
  log.info('api listens', { host: config.HOST, port: server.port });
});
