import { callChain, partialAnswer, type Chain, type ChainCall, type ChainDeps, type ChainLink } from '@bunri/engines';
import { nothingUsed, type FailureCode, type StageInput, type StageOutput } from '@bunri/queue-contracts';
import {
  replayAccount,
  TransientError,
  type HandlerContext,
  type HandlerResult,
  type ResultCache,
} from '@bunri/runtime';
import { checkGuidance } from './check-guidance.ts';
import { groundGuidance, type GuidanceAnswer } from './guidance.ts';
import { prompts, type GuidanceTask, type PromptVersion } from './prompt.ts';
import { addUsage, refusalsOf, type Refusal } from './refusals.ts';
import { rulesOnlyOutput } from './rules-guidance.ts';

export type Link = ChainLink<GuidanceTask, GuidanceAnswer>;
type Output = StageOutput<'llm'>;
type Call = ChainCall<GuidanceTask, GuidanceAnswer, Verdict>;

/** What became of an engine's answer: an output, or a refusal that the same engine may be told of. */
type Verdict = { readonly output: Output } | { readonly refusal: Refusal; readonly link: Link };

export interface Writing {
  readonly deps: ChainDeps & { readonly cache: ResultCache };
  readonly chain: Chain<GuidanceTask, GuidanceAnswer>;
  readonly input: StageInput<'llm'>;
  readonly context: HandlerContext;
  /** Of the prompt that the chain's models are asked with. */
  readonly promptVersion: PromptVersion;
  /** Whether guidance is made from the rules alone where no model may be asked, or none wrote what can be used. */
  readonly rules: boolean;
  readonly recall: (link: Link) => Promise<Output | null>;
  /** What the first engine wrote for this request before; that it has no output yet is known, too. */
  readonly refused: Refusal | null;
  readonly keep: (link: Link, output: Output) => void;
  /** Under which an engine's answer is kept. */
  readonly answerKey: (link: Link) => string;
}

/** As often as a model writes the same answer in one run. */
const mostAnswers = 2;

/**
 * Asks the chain, checks what it says, and tells an engine whose answer failed once what was wrong. If that is in vain too,
 * the rules answer. Each answer is kept before the next step, the refused ones as well: a run that repeats this one after
 * a crash goes on where it stopped. The usage is that of all calls for this request.
 *
 * @throws TransientError `model_output_invalid` where nothing may stand in for the model; the next attempt tells it what
 * was wrong with its last answer; else what the chain throws.
 */
export async function writeGuidance(writing: Writing): Promise<HandlerResult<'llm'>> {
  const { chain, deps } = writing;
  const startedAt = (deps.now ?? Date.now)();
  const first = await callChain(chain, chainCall(writing, { startedAt }), deps);
  if ('output' in first.output) return finished(first.output.output, first.cached, first.degraded);
  const { refusal, link } = first.output;
  if (refusal.answers >= mostAnswers) return outOfAnswers(writing, refusal, first.degraded);
  // Where the refused engine may not be asked again, those behind it stand in as they would have before.
  const behind = chain.slice(chain.indexOf(link) + 1);
  const second = await callChain([link, ...behind], chainCall(writing, { startedAt, refusal, link }), deps);
  const degraded = first.degraded ?? second.degraded;
  if ('output' in second.output) return finished(second.output.output, second.cached, degraded);
  return outOfAnswers(writing, second.output.refusal, degraded);
}

function finished(output: Output, cached: boolean, degraded: FailureCode | undefined): HandlerResult<'llm'> {
  return { output: { ...output, ...(degraded && { degraded }) }, cached };
}

function outOfAnswers(writing: Writing, { usage }: Refusal, passed: FailureCode | undefined): HandlerResult<'llm'> {
  const { deps, context, rules } = writing;
  const code = 'model_output_invalid';
  if (!rules) throw new TransientError(code, 'The model wrote no guidance that the rules support; try again later.');
  // Where another engine stood in already, its chain has counted that.
  if (passed === undefined) deps.metrics.degradedAnswers.inc({ stage: 'llm', code });
  context.log.warn('a fallback answered', { code, by: 'rules' });
  return finished({ ...rulesOutput(writing), usage }, false, passed ?? code);
}

function rulesOutput({ input: { request, vision, rag } }: Writing): Output {
  const { question, locale } = request;
  return rulesOnlyOutput({ classification: vision.classification, context: rag, locale, question });
}

/** One call of a chain: the first, or the one that tells an engine, `link`, what it was refused for. */
function chainCall(writing: Writing, at: { startedAt: number; refusal?: Refusal; link?: Link }): Call {
  const { input, context, rules, recall } = writing;
  const { signal, log, lastAttempt, onAnswer } = context;
  const { request, vision, rag } = input;
  const { id, owner, question, locale, createdAt, deadlineAt, replay } = request;
  const { startedAt, refusal } = at;
  const refusals = refusalsOf(writing.deps.cache, id);
  return {
    stage: 'llm',
    owner: replay ? replayAccount : owner,
    createdAt,
    deadlineAt,
    lastAttempt,
    signal,
    log,
    startedAt,
    mayHold: replay === undefined,
    recall: async (link) => {
      // The first call has looked.
      if (link === at.link) return null;
      if (link === writing.chain[0]) return writing.refused && { refusal: writing.refused, link };
      const known = await recall(link);
      if (known) return { output: known };
      const refused = await refusals.find(writing.answerKey(link));
      return refused && { refusal: refused, link };
    },
    task: async () => ({
      question,
      locale,
      classification: vision.classification,
      context: rag,
      ...(refusal && { problems: refusal.problems }),
    }),
    onText: (textSoFar) => onAnswer(() => partialAnswer(textSoFar)),
    accept: async (said, link) => await judge(writing, said, link, refusal),
    ...(rules
      ? { lastResort: () => ({ output: { ...rulesOutput(writing), usage: refusal?.usage ?? nothingUsed } }) }
      : {}),
  };
}

type Said = Parameters<Call['accept']>[0];

/** Grounds and checks an answer, and keeps what comes of it before anything else can go wrong. */
async function judge(writing: Writing, said: Said, link: Link, before: Refusal | undefined): Promise<Verdict> {
  const { deps, input, context, promptVersion, rules } = writing;
  const { request, vision, rag } = input;
  const { guidance, droppedSteps } = groundGuidance(said.value, rag);
  deps.metrics.droppedSteps.inc(droppedSteps);
  const task = { ...request, classification: vision.classification, context: rag };
  const problems = checkGuidance(guidance, task, prompts[promptVersion].instructions);
  const usage = addUsage(before?.usage ?? nothingUsed, said.usage);
  if (problems.length === 0) {
    const output = { guidance, engine: { ...said.engine, prompt_version: promptVersion }, usage, droppedSteps };
    writing.keep(link, output);
    return { output };
  }
  const codes = [...new Set(problems.map(({ code }) => code))];
  for (const problem of codes) deps.metrics.guidanceProblems.inc({ problem });
  const answers = (before?.answers ?? 0) + 1;
  context.log.warn('an answer failed its checks', { model: link.name, problems: codes, answers });
  const refusal = { problems: problems.map((problem) => problem.said), usage, answers };
  // Where no rules stand in, the next attempt asks once more instead of failing unheard.
  const kept = rules ? refusal : { ...refusal, answers: Math.min(answers, mostAnswers - 1) };
  await refusalsOf(deps.cache, request.id).keep(writing.answerKey(link), kept);
  return { refusal, link };
}
