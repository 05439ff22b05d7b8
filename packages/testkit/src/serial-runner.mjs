import TestRunner from 'jest-runner';

/**
 * Jest's own runner, one test file at a time, in one process beside jest's own. When the last is done jest ends it, with what
 * they have left running; `--runInBand` does not reach them.
 */
export default class SerialRunner extends TestRunner {
  constructor(globalConfig, context) {
    super({ ...globalConfig, maxWorkers: 1 }, context);
  }

  async runTests(tests, watcher, options) {
    await super.runTests(tests, watcher, { ...options, serial: false });
  }
}
