import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import sharp from 'sharp';
import { findBrowser } from '@bunri/testkit';
import { readDashboard } from './dashboard-file.ts';
import { startPainter, type Painter } from './draw.ts';
import { exampleAnswers, exampleDashboard } from './example-fixture.ts';
import type { PanelView } from './page/view.ts';
import { viewOf } from './views.ts';

/** Installing a browser where there is none takes a while, and so does a busy machine. */
const program = await findBrowser(process.env['CHROMIUM_BIN']);
// A test that cannot run says what is missing, and is passed over.
const where = 'missing' in program ? describe.skip : describe;
if ('missing' in program) process.stderr.write(`No dashboard is drawn. ${program.missing}\n`);

let painter: Painter;

where('a browser', () => {
  beforeAll(async () => {
    painter = await startPainter('program' in program ? program.program : '', 'Asia/Seoul');
  });
  afterAll(async () => await painter?.close());

  test('draws every kind of panel into its place', async () => {
    const view = viewOf(readDashboard(JSON.stringify(exampleDashboard)), exampleAnswers, ['a remark']);
    const picture = sharp(await painter.draw(view));
    // Hundreds of kilobytes lie between this and all colours.
    expect(await picture.metadata()).toMatchObject({ format: 'png', isPalette: true });
    const { data, info } = await picture.removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([view.width, view.height]);
    /** Whether there are more pixels of a colour in a panel than chance may leave. */
    const shows = ({ box: { left, top, width, height } }: PanelView, color: readonly number[], least: number) => {
      let found = 0;
      for (let y = top; y < top + height; y += 1)
        for (let x = left; x < left + width; x += 1) {
          const at = (y * info.width + x) * info.channels;
          if (color.every((value, channel) => Math.abs((data[at + channel] ?? 0) - value) <= 24)) found += 1;
        }
      return found > least;
    };
    const thatShow = (color: readonly number[], least = 50) =>
      view.panels.filter((panel) => shows(panel, color, least)).map(({ title }) => title);
    expect(thatShow([0x73, 0xbf, 0x69])).toEqual(['Lines', 'Stack', 'Mapped', 'Bars']);
    // A figure in the colour of its step, and the dashed line of a limit.
    expect(thatShow([0xf2, 0x49, 0x5c])).toEqual(['Lines', 'Figure', 'Bars']);
    // A cell of two thirds of the highest; the scale below has a little of its colour too.
    expect(thatShow([0xfe, 0xdb, 0xb8], 1_000)).toEqual(['Heat map']);
  });
});
