import { stageOrder, stages, type StageName } from '@bunri/queue-contracts';
import { usualService, type ModelLimits } from '@bunri/runtime';
import type { StagePlan } from './simulation-stage.ts';
import { modelMs } from './slot-limit.ts';

/** What is simulated, unless `--set name=value` says otherwise. Rates are of a minute. */
const defaults = {
  seed: '1',
  /** Of vision; each with the slots of the stage catalogue. */
  pods: '1,2,5,10,20,50',
  /** Pods of llm for one of vision. */
  llm_per_vision: String(stages.llm.replicas / stages.vision.replicas),
  /** Steady, and at the peak of an office morning. */
  rate: '1000',
  burst: '1000',
  batch: '5000',
  /** Interactive requests beside the batch. */
  beside: '300',
  vision_rpm: '',
  vision_tpm: '',
  llm_rpm: '',
  llm_tpm: '',
  /** As the workers estimate them before a call: prompt, photo and answer. */
  vision_tokens: '4400',
  llm_tokens: '1150',
  ask_ms: '5',
};
export type SettingName = keyof typeof defaults;

export interface SimulationSettings {
  readonly pods: readonly number[];
  readonly number: (name: SettingName) => number;
  /** What the providers of both models admit, each way in which everything is simulated. */
  readonly limits: readonly { readonly name: string; readonly of: Partial<Record<StageName, ModelLimits>> }[];
}

/** @throws RangeError for a setting that is unknown or not a positive number. */
export function readSettings(given: Readonly<Record<string, string>> = {}): SimulationSettings {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(defaults, name));
  if (unknown.length > 0) {
    throw new RangeError(`no such setting: ${unknown.join(', ')}; there are ${Object.keys(defaults).join(', ')}`);
  }
  const texts: Readonly<Record<SettingName, string>> = { ...defaults, ...given };
  const { pods, ...others } = texts;
  for (const [name, text] of Object.entries(others)) if (text !== '') positive(name, text);
  const number = (name: SettingName) => positive(name, texts[name]);
  const limitsOf = (stage: 'vision' | 'llm'): ModelLimits => {
    const limit = (name: SettingName) => (texts[name] === '' ? undefined : number(name));
    return { requestsPerMinute: limit(`${stage}_rpm`), tokensPerMinute: limit(`${stage}_tpm`) };
  };
  const isLimited = (['vision_rpm', 'vision_tpm', 'llm_rpm', 'llm_tpm'] as const).some((name) => texts[name] !== '');
  const examples = [
    { name: 'vision 500 requests', of: { vision: { requestsPerMinute: 500 } } },
    { name: 'vision 4 M tokens', of: { vision: { tokensPerMinute: 4_000_000 } } },
  ];
  const asSet = { name: 'as set', of: { vision: limitsOf('vision'), llm: limitsOf('llm') } };
  return {
    pods: pods.split(',').map((text) => positive('pods', text)),
    number,
    limits: [{ name: 'none', of: {} }, ...(isLimited ? [asSet] : examples)],
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new RangeError(`${name} must be a number above 0, not ${text}`);
  return value;
}

/** Of the stages that wait for a model, as the simulator of the slot layout answers. */
const runMs: Partial<Record<StageName, StagePlan['runMs']>> = modelMs;

/** All stages beside so many pods of vision, in the proportions of the catalogue but for those of llm. */
export function plansFor(
  visionPods: number,
  { number, limits }: { number: SimulationSettings['number']; limits: Partial<Record<StageName, ModelLimits>> },
): StagePlan[] {
  const tokens: Partial<Record<StageName, number>> = { vision: number('vision_tokens'), llm: number('llm_tokens') };
  return stageOrder.map((stage) => {
    const perVision = stage === 'llm' ? number('llm_per_vision') : stages[stage].replicas / stages.vision.replicas;
    // Three fifths of five are three, also in floating point.
    const processes = Math.max(1, Math.ceil(visionPods * perVision - 1e-9));
    const { meanMs } = usualService(stage);
    return {
      stage,
      processes,
      slots: processes * stages[stage].concurrency,
      runMs: runMs[stage] ?? { from: meanMs / 2, to: meanMs * 1.5 },
      tokens: tokens[stage] ?? 0,
      ...(limits[stage] ? { limits: limits[stage], askMs: number('ask_ms') } : {}),
    };
  });
}
