// The page in a real browser, against the API of these tests with workers that a test plays.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { catalogue } from '@bunri/knowledge';
import { stageOrder, stages, type UsualStage } from '@bunri/queue-contracts';
import { findBrowser } from '@bunri/testkit';
import { sampleOutputs } from './sample-outputs.ts';
import { startTestApi, type TestApi } from './test-api.ts';
import type { TestApiOptions } from './test-api-options.ts';

const program = await findBrowser(process.env['CHROMIUM_BIN']);
/** Why the tests of this kind cannot run here; null where they can. */
export const noBrowser = 'missing' in program ? program.missing : null;

/** Where a test leaves pictures of what it sees, if anywhere. */
const picturesIn = process.env['BUNRI_SCREENSHOTS'];

export async function launchBrowser(): Promise<Browser> {
  if ('missing' in program) throw new Error(program.missing);
  const quiet = ['--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run'];
  // Chromium refuses to run as root with its sandbox; it opens nothing but this API's pages.
  const chromiumSandbox = process.getuid?.() !== 0;
  return await chromium.launch({ executablePath: program.program, chromiumSandbox, args: quiet, timeout: 90_000 });
}

export const phone = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
  locale: 'ko-KR',
} as const;
export const desk = { viewport: { width: 1280, height: 800 }, locale: 'en-US', colorScheme: 'dark' } as const;

export interface Watched {
  readonly page: Page;
  /** What the browser complained of: errors of scripts, of its console, of the page's policy. */
  readonly complaints: string[];
  /** Leaves a picture of this name where pictures are wanted. */
  picture(name: string): Promise<void>;
  /** What of it is hard to use as it is now: violations of accessibility rules, what is wider than the window. With a picture. */
  check(name: string): Promise<string[]>;
}

/** A window of its own, as of somebody who was never here. */
export async function openWindow(browser: Browser, options: BrowserContextOptions): Promise<Watched> {
  const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refusal that a test brings about is told by the browser too.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(message.text());
    }
  });
  const picture = async (name: string) => {
    if (picturesIn !== undefined) await page.screenshot({ path: join(picturesIn, `${name}.png`), fullPage: true });
  };
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  return {
    page,
    complaints,
    picture,
    async check(name) {
      await picture(name);
      const violations = await page.evaluate<string[]>(`(() => { if (!globalThis.axe) { ${axe} } })();
        axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
          violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html + ' ' + node.failureSummary).join(' | ')))`);
      const tooWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
      return (await page.evaluate(tooWide)) ? [...violations, 'it has to be scrolled sideways'] : violations;
    },
  };
}

/** A script that brings a picture of 64 × 48 onto the page, and in the same turn of the browser does what follows. */
export function pasteOrDrop(kind: 'paste' | 'drop', then = ''): string {
  const event = kind === 'paste' ? "new ClipboardEvent('paste', how)" : "new DragEvent('drop', how)";
  return `(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
    const data = new DataTransfer();
    data.items.add(new File([blob], 'a.png', { type: 'image/png' }));
    const how = { clipboardData: data, dataTransfer: data, bubbles: true, cancelable: true };
    document.body.dispatchEvent(${event});
    ${then}
  })()`;
}

const plain = sampleOutputs();
const [pet, other] = catalogue.items;
if (!pet || !other) throw new Error('the catalogue is empty');
const optionOf = ({ id, names, wasteCategory, subcategory }: typeof pet) => ({
  item_id: id,
  label: names.ko,
  waste_category: wasteCategory,
  subcategory,
});
/** Of a photo that left open what the thing is. */
const asking = {
  ...plain,
  rag: { ...plain.rag, clarification: { question: '어느 것인가요?', options: [optionOf(pet), optionOf(other)] } },
};
/** What a model may say, so that whoever takes texts for markup runs it. */
const markupInText = '뜨거울 수 있습니다. <img src="/x" onerror="globalThis.wasRun = true">';
/** Of engines that stood in for others. */
const hedged = {
  ...plain,
  vision: { ...plain.vision, degraded: 'model_unavailable', classification: { ...plain.vision.classification } },
  llm: {
    ...plain.llm,
    engine: { provider: 'rules', model: 'v1' },
    guidance: { ...plain.llm.guidance, warnings: [markupInText], missing: ['뚜껑의 재질'] },
  },
};
hedged.vision.classification.engine = { provider: 'local', model: 'head-1' };

/** What the workers answer. */
export const played = { pet, other, plain, asking, hedged, markupInText };

export interface PlayedApi extends TestApi {
  /** The id of the next request that is queued. */
  nextQueued(): Promise<string>;
  begin(id: string, stage: UsualStage): Promise<void>;
  end(id: string, stage: UsualStage, outputs?: Partial<Record<UsualStage, unknown>>): Promise<void>;
  /** Brings a request through all that is left of it. */
  finish(id: string, outputs?: Partial<Record<UsualStage, unknown>>, from?: UsualStage): Promise<void>;
}

/** The test API with workers that do what the test tells them. */
export async function startPlayedApi(options: TestApiOptions = {}): Promise<PlayedApi> {
  const waiting: ((id: string) => void)[] = [];
  const queued: string[] = [];
  const api = await startTestApi({
    ...options,
    addFlow: async ({ id }) => {
      const next = waiting.shift();
      if (next) next(id);
      else queued.push(id);
      await Promise.resolve();
    },
  });
  const run = (id: string, stage: UsualStage) => ({ id, stage, token: `run-${stage}` });
  const playedApi: PlayedApi = {
    ...api,
    async nextQueued() {
      return queued.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)));
    },
    async begin(id, stage) {
      await api.records.start(run(id, stage));
    },
    async end(id, stage, outputs = plain) {
      const output = stages[stage].output.parse(outputs[stage]);
      await api.records.finish(run(id, stage), { output, durationMs: 1_240, cached: false });
    },
    async finish(id, outputs = plain, from = 'preprocess') {
      for (const stage of stageOrder.slice(stageOrder.indexOf(from))) {
        await playedApi.begin(id, stage);
        await playedApi.end(id, stage, outputs);
      }
    },
  };
  return playedApi;
}
