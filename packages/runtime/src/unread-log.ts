// An app that only writes its log, for process.test.ts.
import { createLogger } from './log.ts';
import { createProcessLife, runProcess } from './process.ts';

const log = createLogger({ app: 'test', level: 'info' });
runProcess(createProcessLife({ log, graceMs: 1_000 }), log, async () => {
  setInterval(() => log.info('still here'), 10);
  await Promise.resolve();
});
