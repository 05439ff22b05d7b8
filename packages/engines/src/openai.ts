import type OpenAI from 'openai';
import type { InferenceEngine } from './engine.ts';
import type { StructuredCall } from './model-request.ts';
import { callModel } from './openai-responses.ts';

export interface OpenAiEngineOptions<Task, Value> {
  readonly client: OpenAI;
  readonly model: string;
  readonly buildCall: (task: Task) => StructuredCall<Value>;
}

/** A model behind an API: nothing to load, and no memory of this process. A batch is so many calls at once. */
export function openAiEngine<Task, Value>(options: OpenAiEngineOptions<Task, Value>): InferenceEngine<Task, Value> {
  const { client, model, buildCall } = options;
  return {
    model,
    server: serverOf(client.baseURL),
    load: async () => {},
    unload: async () => {},
    memoryBytes: () => 0,
    predict: async (batch, { signal, onText }) => {
      const ask = async (task: Task, until: AbortSignal) => {
        const follow = onText && { onText: (textSoFar: string) => onText(task, textSoFar) };
        return await callModel(buildCall(task), { client, model, signal: until, ...follow });
      };
      const [only, ...others] = batch;
      if (only !== undefined && others.length === 0) return [await ask(only, signal)];
      const failed = new AbortController();
      const either = AbortSignal.any([signal, failed.signal]);
      const calls = batch.map(async (task) => {
        try {
          return await ask(task, either);
        } catch (error) {
          // The batch has failed: what is still in flight would be paid for and thrown away.
          failed.abort(error);
          throw error;
        }
      });
      await Promise.allSettled(calls);
      return Promise.all(calls);
    },
  };
}

function serverOf(baseUrl: string): { address: string; port: number } {
  const { hostname, port, protocol } = new URL(baseUrl);
  return { address: hostname, port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port) };
}
