import type { StructuredCall } from '@bunri/engines';
import type { Classification, Context, Locale } from '@bunri/queue-contracts';
import { promptVersions } from '@bunri/runtime';
import { guidanceAnswerSchema, type GuidanceAnswer } from './guidance.ts';
import { firstPrompt } from './prompt-1.ts';
import { secondPrompt } from './prompt-2.ts';

export interface GuidanceTask {
  readonly locale: Locale;
  readonly question: string;
  readonly classification: Classification;
  readonly context: Context;
  /** What was wrong with the model's last answer to this task, one sentence each. */
  readonly problems?: readonly string[];
}

/** One version of what the model is told. */
export interface GuidancePrompt {
  /**
   * The same text in every call: nothing of a request may stand here. Providers that cache the beginning of a prompt need
   * it so.
   */
  readonly instructions: string;
  /** What changes from call to call, a line each; the question comes last, since it changes most. */
  readonly describe: (task: GuidanceTask) => string;
}

/** By version. A change of one that may change an answer is a new version; the runtime's `promptVersions.llm` is in use. */
export const prompts = { '1': firstPrompt, '2': secondPrompt } as const satisfies Record<string, GuidancePrompt>;
export type PromptVersion = keyof typeof prompts;

/** Bounds what one call can cost, far above what eight steps take: an answer that is cut off is paid for in vain. */
const maxOutputTokens = 2000;

/** One call for question, classification and rules together; what was wrong before follows, so that the beginning stays. */
export function guidanceCall(
  task: GuidanceTask,
  version: PromptVersion = promptVersions.llm,
): StructuredCall<GuidanceAnswer> {
  const { instructions, describe } = prompts[version];
  const { problems = [] } = task;
  const text = [describe(task), ...(problems.length > 0 ? ['Your last answer failed:', ...problems] : [])].join('\n');
  return { instructions, text, schema: guidanceAnswerSchema, schemaName: 'guidance', maxOutputTokens };
}
