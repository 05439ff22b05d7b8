import type { FaultPlan, SimulatorLimits } from '@bunri/testkit';

/** What a phase may turn. */
export interface Hands {
  /** Replaces what goes wrong with calls of a model. */
  setFaults(plan: FaultPlan): void;
  /** Replaces what the model API refuses beyond. */
  setLimits(limits: SimulatorLimits): void;
  /** Hands in an archive of so many photos as a batch. */
  handInBatch(photos: number): Promise<void>;
  /** Asks so many times a second for its requests, whatever the answer. */
  poll(perSecond: number, seconds: number): Promise<void>;
  /** Kills the only worker of the last stage, and starts another one after a while. */
  killWorker(): Promise<void>;
}

export interface Phase {
  readonly name: string;
  /** What happens, for the readers of the pictures. */
  readonly says: string;
  /** Of the whole load, 0 to 1. */
  readonly share: number;
  /** New requests a second at its beginning and at its end. */
  readonly perSecond: readonly [from: number, to: number];
  /** Share of photos that cannot be decoded. Default 0. */
  readonly unreadable?: number;
  /** Goes on beside the requests. */
  readonly act?: (hands: Hands) => Promise<void> | void;
}

export const phases: readonly Phase[] = [
  { name: 'few', says: 'a few clients', share: 0.06, perSecond: [0.5, 0.8] },
  {
    name: 'ramp',
    says: 'twelve owners, more and more of their requests; about a quarter ask what was asked before',
    share: 0.18,
    perSecond: [0.8, 4],
  },
  {
    name: 'batch',
    says: 'one owner hands in a batch of 60 photos beside them, another asks for its requests more often than its key may',
    share: 0.15,
    perSecond: [3.5, 3.5],
    act: async (hands) => void (await Promise.all([hands.handInBatch(60), hands.poll(8, 45)])),
  },
  {
    name: '429',
    says: 'the model API allows 100 calls a minute of each model and refuses the rest with 429',
    share: 0.12,
    perSecond: [3, 3],
    act: (hands) => hands.setLimits({ requestsPerMinute: 100, burstSeconds: 5 }),
  },
  {
    name: 'slow',
    says: 'no limits any more; most calls take four seconds longer',
    share: 0.11,
    perSecond: [2, 2],
    act: (hands) => {
      hands.setLimits({});
      hands.setFaults([{ fault: 'slow', delayMs: 4_000, probability: 0.7 }]);
    },
  },
  {
    name: 'failures',
    says: 'a third of the calls fails with 500, some are rejected or answered with nonsense; one photo in eight cannot be read; the llm worker is killed and started again',
    share: 0.09,
    perSecond: [2, 2],
    unreadable: 0.12,
    act: async (hands) => {
      hands.setFaults([
        { fault: 'server_error', probability: 0.3 },
        { fault: 'bad_request', probability: 0.05 },
        { fault: 'garbage', probability: 0.05 },
      ]);
      await hands.killWorker();
    },
  },
  {
    name: 'outage',
    says: 'the model API answers nothing but 503: its circuit breaker opens',
    share: 0.05,
    perSecond: [2, 2],
    act: (hands) => hands.setFaults([{ fault: 'server_error', status: 503 }]),
  },
  {
    name: 'recovery',
    says: 'everything works again',
    share: 0.24,
    perSecond: [2.5, 2.5],
    act: (hands) => hands.setFaults([]),
  },
];
