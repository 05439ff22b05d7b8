import { parseArgs } from 'node:util';
import { defaultTokenBudget, minTokenBudget } from '@bunri/knowledge';
import { locales } from '@bunri/queue-contracts';
import { prompts, type PromptVersion } from '@bunri/llm-worker/prompt';
import type { Case } from './cases.ts';

/** A command line that was not understood; told with the exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const engineNames = ['rules', 'openai', 'simulator'] as const;

export interface Options {
  readonly engine: (typeof engineNames)[number];
  /** Instead of LLM_MODEL. */
  readonly model?: string | undefined;
  /** Versions of the prompt, run one after the other on the same cases. */
  readonly versions: readonly PromptVersion[];
  /** Files of cases; empty for those that ship. */
  readonly files: readonly string[];
  readonly photos?: string | undefined;
  readonly perClass: number;
  readonly json: boolean;
  readonly help: boolean;
  readonly limit: number;
  readonly concurrency: number;
  readonly tokenBudget: number;
  readonly minCategory?: number | undefined;
  readonly minRecall?: number | undefined;
  readonly maxForbidden?: number | undefined;
  readonly keeps: (each: Case) => boolean;
}

export const usage = `npm run eval -- [options]

Runs questions with known answers through the look-up of the rules and an engine, and says how many were right.

  --engine rules|openai|simulator   who writes the guidance (rules); openai needs OPENAI_API_KEY and asks a model that
                                    costs money; the simulator stands in for a model API and knows nothing
  --model NAME                      the model (LLM_MODEL)
  --prompt V, --compare V           versions of the prompt (${Object.keys(prompts).join(', ')}); with --compare both run side by side
  --cases FILE                      JSONL, may be given more than once (those that ship); format: packages/evaluation/README.md
  --photos DIR                      folders of photos named by their class, or with a classes.json; without --engine the
                                    local model looks at them, and the rules alone answer
  --per-class N                     photos of each class, evenly spread (all)
  --locale ko|en, --tag TAG         only such cases
  --limit N                         the first N cases
  --concurrency N                   cases at once (4)
  --token-budget N                  tokens of rules in a context (800)
  --min-category S, --min-recall S  shares from 0 to 1 that must be reached, else the exit code is 1
  --max-forbidden N                 forbidden statements that are allowed
  --json                            the report as JSON
`;

/** @throws UsageError naming what was not understood. */
export function readOptions(args: string[]): Options {
  const { values } = parsed(args);
  const { engine = 'rules', locale, tag, prompt, compare } = values;
  if (!engineNames.some((name) => name === engine)) {
    throw new UsageError(`--engine must be one of ${engineNames.join(', ')}`);
  }
  if (locale !== undefined && !locales.some((each) => each === locale)) {
    throw new UsageError(`--locale must be one of ${locales.join(', ')}`);
  }
  if (engine === 'rules' && (prompt ?? compare ?? values.model) !== undefined) {
    throw new UsageError('--model, --prompt and --compare are for models; give --engine openai');
  }
  if (values.photos !== undefined && engine === 'simulator') {
    throw new UsageError('--photos needs an engine that sees; give --engine openai, or none for the local model');
  }
  if (values.photos !== undefined && (values.cases.length > 0 || (locale ?? tag) !== undefined)) {
    throw new UsageError('--cases, --locale and --tag choose text cases; --photos takes all of its folder');
  }
  return {
    engine: engine as Options['engine'],
    model: values.model,
    versions: [version(prompt ?? newest), ...(compare === undefined ? [] : [version(compare)])],
    files: values.cases,
    photos: values.photos,
    perClass: count('--per-class', values['per-class'], 1) ?? Infinity,
    json: values.json,
    help: values.help,
    limit: count('--limit', values.limit, 1) ?? Infinity,
    concurrency: count('--concurrency', values.concurrency, 1) ?? 4,
    tokenBudget: count('--token-budget', values['token-budget'], minTokenBudget) ?? defaultTokenBudget,
    minCategory: share('--min-category', values['min-category']),
    minRecall: share('--min-recall', values['min-recall']),
    maxForbidden: count('--max-forbidden', values['max-forbidden'], 0),
    keeps: (each) => (locale === undefined || each.locale === locale) && (tag === undefined || each.tags.includes(tag)),
  };
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({
      args,
      options: {
        engine: text,
        model: text,
        prompt: text,
        compare: text,
        cases: { type: 'string', multiple: true, default: [] },
        photos: text,
        'per-class': text,
        locale: text,
        tag: text,
        limit: text,
        concurrency: text,
        'token-budget': text,
        'min-category': text,
        'min-recall': text,
        'max-forbidden': text,
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const newest = Object.keys(prompts).at(-1) ?? '';

function version(name: string): PromptVersion {
  const found = (Object.keys(prompts) as PromptVersion[]).find((each) => each === name);
  if (!found) throw new UsageError(`there is no prompt ${name}; there are ${Object.keys(prompts).join(', ')}`);
  return found;
}

function count(name: string, value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  // An empty text, as of a variable that is not set, is no zero.
  if (!/^\d+$/.test(value) || Number(value) < least) {
    throw new UsageError(`${name} must be a whole number of at least ${least}`);
  }
  return Number(value);
}

function share(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^(?:0?\.\d+|[01](?:\.0*)?)$/.test(value)) throw new UsageError(`${name} must be a share from 0 to 1`);
  return Number(value);
}
