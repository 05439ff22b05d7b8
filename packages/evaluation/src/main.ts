// `npm run eval`: how often the guidance is right, by cases whose answers are known.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assertPriced } from '@bunri/engines';
import { shippedKnowledge } from '@bunri/knowledge';
import { ConfigError, parseConfig } from '@bunri/runtime';
import { startModelApiSimulator } from '@bunri/testkit';
import { rulesEngine, type AnswerEngine } from './answer-engine.ts';
import { CaseFileError, readCases, type Case } from './cases.ts';
import { configSchema } from './config.ts';
import { EngineFailedError } from './in-parallel.ts';
import { answerModel, localPhotoModel, photoModel, type ModelApi } from './model-engines.ts';
import { readOptions, usage, UsageError, type Options } from './options.ts';
import { lookAtAll, photoCases } from './photo-cases.ts';
import { jsonReport, textReport, type Run } from './report.ts';
import { runCases } from './run-cases.ts';
import type { Share } from './score.ts';
import { missed, shippedThresholds, type Thresholds } from './thresholds.ts';

const shipped = fileURLToPath(new URL('../cases/', import.meta.url));

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return void process.stdout.write(usage);
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  if (options.engine === 'rules' && options.photos !== undefined) {
    return await evaluateLocal(options, options.photos, stopping.signal);
  }
  if (options.engine === 'rules') return await evaluate(options, [rulesEngine()], textCases(options), stopping.signal);
  if (options.engine === 'openai') return await evaluateApi(options, stopping.signal);
  const latency = { vision: [0, 0], answer: [0, 0] } as const;
  const simulator = await startModelApiSimulator({ latency, seed: 1 });
  try {
    const api = { apiKey: 'simulated', baseUrl: simulator.baseUrl, prices: {} };
    const engines = options.versions.map((version) =>
      answerModel(api, `simulator/${options.model ?? 'model'}`, version),
    );
    await evaluate(options, engines, textCases(options), stopping.signal);
  } finally {
    await simulator.stop();
  }
}

async function evaluateApi(options: Options, signal: AbortSignal): Promise<void> {
  const config = parseConfig(configSchema, process.env);
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, MODEL_PRICES: prices } = config;
  const api: ModelApi = { apiKey, baseUrl, prices };
  const model = options.model ?? config.LLM_MODEL;
  checkPriced(prices, options.photos === undefined ? [model] : [model, config.VISION_MODEL]);
  const engines = options.versions.map((version) => answerModel(api, model, version));
  if (options.photos === undefined) return await evaluate(options, engines, textCases(options), signal);
  const photos = photoCases(options.photos, options.perClass).slice(0, options.limit);
  const seen = await lookAtAll(photos, photoModel(api, config.VISION_MODEL), { ...options, signal });
  process.stderr.write(
    `${config.VISION_MODEL} saw ${photos.length} photos for USD ${seen.usage.cost_usd.toFixed(4)}.\n`,
  );
  await evaluate(options, engines, seen.cases, signal);
}

/** The model that ships with bunri looks, and the rules alone answer: what costs nobody anything. */
async function evaluateLocal(options: Options, folder: string, signal: AbortSignal): Promise<void> {
  const photos = photoCases(folder, options.perClass).slice(0, options.limit);
  const { close, ...engine } = localPhotoModel();
  try {
    const { cases, materials } = await lookAtAll(photos, engine, { ...options, signal });
    await evaluate(options, [rulesEngine()], cases, signal, materials);
  } finally {
    await close();
  }
}

/** Before anything is paid for. @throws UsageError */
function checkPriced(prices: ModelApi['prices'], models: readonly string[]): void {
  try {
    for (const model of models) assertPriced(prices, model);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function textCases({ files, keeps, limit }: Options): Case[] {
  const own = readdirSync(shipped).filter((name) => name.endsWith('.jsonl'));
  const paths = files.length > 0 ? files : own.toSorted().map((name) => `${shipped}${name}`);
  const cases = paths.flatMap(readCases).filter(keeps).slice(0, limit);
  if (cases.length === 0) throw new CaseFileError('no case is left; see --locale, --tag and --limit');
  return cases;
}

async function evaluate(
  options: Options,
  engines: readonly AnswerEngine[],
  cases: readonly Case[],
  signal: AbortSignal,
  materials?: Share,
): Promise<void> {
  const runs: Run[] = [];
  // The rules wait for nobody: several at once would only be counted into each other's times.
  const concurrency = options.engine === 'rules' ? 1 : options.concurrency;
  // What is built once is no part of any look-up.
  shippedKnowledge();
  for (const engine of engines) {
    runs.push(await runCases(cases, { ...options, concurrency, engine, signal, now: () => performance.now() }));
  }
  const report = options.json ? JSON.stringify(jsonReport(runs, materials), null, 2) : textReport(runs, materials);
  process.stdout.write(`${report}\n`);
  const misses = runs.flatMap((run) => missed(run, thresholdsOf(options)));
  for (const miss of misses) process.stderr.write(`${miss}\n`);
  if (misses.length > 0) process.exitCode = 1;
}

/** Given ones count; without any, the rules must reach what they reach on the cases that ship. */
function thresholdsOf({ engine, files, photos, minCategory, minRecall, maxForbidden }: Options): Thresholds {
  const isShipped = engine === 'rules' && files.length === 0 && photos === undefined;
  const otherwise = isShipped ? shippedThresholds : { category: 0, citationRecall: 0, forbidden: Infinity };
  return {
    category: minCategory ?? otherwise.category,
    citationRecall: minRecall ?? otherwise.citationRecall,
    forbidden: maxForbidden ?? otherwise.forbidden,
  };
}

try {
  await main();
} catch (error) {
  const told = [UsageError, CaseFileError, ConfigError, EngineFailedError];
  const isTold = error instanceof Error && told.some((kind) => error instanceof kind);
  const trouble = error instanceof Error ? (isTold ? error.message : error.stack) : String(error);
  process.stderr.write(`${trouble}\n${error instanceof UsageError ? `\n${usage}` : ''}`);
  // 1 is for figures that were missed.
  process.exitCode = 2;
}
