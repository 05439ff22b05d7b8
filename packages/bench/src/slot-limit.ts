import type { AppName } from '@bunri/cli/system';
import type { Pods } from './pods.ts';

/** How long the simulated models take for an answer, evenly between these. */
export const modelMs = {
  vision: { from: 3_000, to: 5_000 },
  llm: { from: 1_000, to: 2_000 },
} as const;

/**
 * What a placement can complete in a minute at most, when every slot of the stages that wait for a model is always full.
 * @throws when the chart does not say how many slots such a stage has.
 */
export function slotLimitAMinute(pods: ReadonlyMap<AppName, Pods>): number {
  return Math.min(
    ...(['vision', 'llm'] as const).map((stage) => {
      const { replicas = 0, env = {} } = pods.get(`${stage}-worker`) ?? {};
      const slots = replicas * Number(env['CONCURRENCY']);
      if (!(slots > 0)) throw new Error(`the chart does not say how many slots ${stage} has`);
      const { from, to } = modelMs[stage];
      return (slots * 60_000) / ((from + to) / 2);
    }),
  );
}
