/**
 * Jest reporter whose last line is `N passed, N failed`, with `, N skipped` where tests were skipped or are to do.
 * A file that could not be run at all counts as one failure, so that a broken import is never a green summary.
 */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const parts = [`${results.numPassedTests} passed`, `${failed} failed`];
    if (skipped > 0) parts.push(`${skipped} skipped`);
    process.stdout.write(`\n${parts.join(', ')}\n`);
  }
}
