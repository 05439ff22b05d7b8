import { chromium, type Browser } from 'playwright-core';
import sharp from 'sharp';
import { emptyPage, pageScript } from './document.ts';
import type { DashboardView } from './page/view.ts';

export interface Painter {
  /** The dashboard as a PNG of few colours. @throws what the page complains of. */
  draw(view: DashboardView): Promise<Buffer>;
  close(): Promise<void>;
}

/** Of drawings with flat colours: more of them could not be told apart. */
const paletteSize = 128;
const drawnWithinMs = 60_000;

/** A browser that draws dashboards, its clock in this time zone. */
export async function startPainter(program: string, timezoneId: string): Promise<Painter> {
  const [document, script] = await Promise.all([emptyPage(), pageScript()]);
  // Chromium refuses to run as root with its sandbox; it opens nothing but our own page.
  const chromiumSandbox = process.getuid?.() !== 0;
  const args = ['--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run'];
  const browser: Browser = await chromium.launch({ executablePath: program, chromiumSandbox, args, timeout: 90_000 });
  return {
    async draw(view) {
      const { width, height } = view;
      const context = await browser.newContext({ viewport: { width, height }, timezoneId });
      try {
        const page = await context.newPage();
        const complaints: string[] = [];
        page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
        page.on('console', (message) => {
          if (message.type() === 'error') complaints.push(message.text());
        });
        await page.setContent(document);
        await page.evaluate((given) => (globalThis.dashboard = given), view);
        await page.addScriptTag({ content: script, type: 'module' });
        const drawn = page.waitForFunction('globalThis.isDrawn === true', undefined, { timeout: drawnWithinMs });
        await drawn.catch((error: unknown) => {
          throw new Error(`${view.title} was not drawn: ${complaints.join('\n')}`, { cause: error });
        });
        if (complaints.length > 0) throw new Error(`${view.title}: ${complaints.join('\n')}`);
        const picture = await page.screenshot({ type: 'png' });
        return await sharp(picture)
          .png({ palette: true, colours: paletteSize, dither: 0, effort: 10, compressionLevel: 9 })
          .toBuffer();
      } finally {
        await context.close();
      }
    },
    close: async () => await browser.close(),
  };
}
