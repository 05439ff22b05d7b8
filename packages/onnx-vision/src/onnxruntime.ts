import { createRequire } from 'node:module';

/** What is used here of onnxruntime-node; the same in all of its versions since 1.16. */
export interface OnnxRuntime {
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OnnxTensor;
  readonly InferenceSession: {
    create(model: string | Uint8Array, options: typeof sessionOptions): Promise<OnnxSession>;
  };
}

export interface OnnxTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

export interface OnnxSession {
  run(inputs: Record<string, OnnxTensor>, outputs: readonly string[]): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}

/** One thread, since the pod has half a core; and no arena, which would keep what the largest run ever took. */
export const sessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  enableCpuMemArena: false,
  // Errors alone: a warning of one of the model's nodes is no news to whoever runs it.
  logSeverityLevel: 3,
} as const;

/** Not by `import`: some of its versions have no types, and nobody is made to install it. */
export function loadOnnxRuntime(): OnnxRuntime {
  return createRequire(import.meta.url)('onnxruntime-node') as OnnxRuntime;
}
