import type { FailureCode } from '@bunri/queue-contracts';
import type { FaultPlan } from '@bunri/testkit';
import type { Run, Scenario } from '../scenario.ts';

const holdMs = 8_000;
/** A call that hangs is given up after the time-out of its stage, 45 s for vision. */
const longestHangMs = 60_000;

async function holdFaults({ rig: { simulator }, strikes, lifted, pause }: Run, plan: FaultPlan): Promise<void> {
  strikes();
  simulator.setFaults(plan);
  await pause(holdMs);
  simulator.setFaults([]);
  lifted();
}

function fails(name: string, says: string, plan: FaultPlan, mayFail: readonly FailureCode[]): Scenario {
  return {
    name,
    says: `for ${holdMs / 1000} s ${says}`,
    mayFail,
    fault: async (run) => await holdFaults(run, plan),
  };
}

/** It lasts as long as a call hangs: nothing can be done about those that do until their stage gives them up. */
const hanging: Scenario = {
  name: 'model-hanging',
  says: 'calls that begin within 4 s get no byte of an answer, until they are given up',
  mayFail: ['model_timeout', 'stage_timeout'],
  async fault({ rig: { simulator }, strikes, lifted, pause, until, note }) {
    strikes();
    simulator.setFaults([{ fault: 'hang' }]);
    await pause(4_000);
    simulator.setFaults([]);
    const hung = () => simulator.calls().filter(({ fault }) => fault === 'hang');
    note(`${hung().length} calls hung`);
    await until(
      'the hung calls are given up',
      () => hung().every(({ durationMs }) => durationMs !== null),
      longestHangMs,
    );
    lifted();
  },
};

export const modelFaults: readonly Scenario[] = [
  fails(
    'model-429-storm',
    'every call gets 429 with retry-after-ms 1500',
    [{ fault: 'rate_limit', retryAfterMs: 1_500 }],
    [],
  ),
  fails('model-5xx', 'every call gets 500', [{ fault: 'server_error', status: 500 }], ['model_unavailable']),
  hanging,
  fails('model-garbage', 'every answer is no JSON', [{ fault: 'garbage' }], ['model_output_invalid']),
  fails('model-refusing', 'the model refuses every call', [{ fault: 'refusal' }], ['model_refused']),
  fails(
    'model-truncated-stream',
    'every answer ends half way',
    [{ fault: 'truncated_stream' }],
    ['model_unavailable', 'model_output_invalid'],
  ),
];
