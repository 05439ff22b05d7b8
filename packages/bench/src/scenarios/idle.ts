import { percentile } from '../measure.ts';
import { compare, sideBySide, type Scenario } from '../scenario.ts';
import { withSides, type Side } from '../side.ts';

/** One request at a time: from submitting it to seeing its completion, in ms. */
export const idle: Scenario = {
  name: 'idle',
  summary: 'one request at a time, from submitting it to seeing its end, beside a raw flow',
  async run(options) {
    const { rounds, count = 200 } = options;
    return await withSides(options, async ({ raw, bunri }) => {
      const run = async (side: Side) => (await side.submitter({ ask: 'latency', count })) as number[];
      const pairs = await sideBySide(rounds, {
        baseline: async () => await run(raw),
        bunri: async () => await run(bunri),
      });
      return {
        figures: [
          compare('submit to completed seen, p50, ms', pairs, (times) => percentile(times, 0.5), { atMost: 1.5 }),
          compare('submit to completed seen, p99, ms', pairs, (times) => percentile(times, 0.99)),
        ],
        notes: [
          "bunri's side submits by the function that the api's route calls, without HTTP, and follows the request's event stream as the api does for a listener, to its `completed`; the raw side waits for the event of the last queue.",
        ],
      };
    });
  },
};
