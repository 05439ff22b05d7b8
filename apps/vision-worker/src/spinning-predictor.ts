// For slow-inference.test.ts: a model that holds up its process for as many milliseconds as its task says.
import { serveEngine } from '@bunri/engines/serve-engine';

serveEngine<number, true>({
  load: async () => await Promise.resolve({ memoryBytes: 1 }),
  predict: async (batch) => {
    const until = performance.now() + Math.max(...batch);
    while (performance.now() < until);
    return await Promise.resolve(batch.map(() => true as const));
  },
  unload: async () => {},
});
