import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apiKeyHeader, withBareServer } from '../api-alone.ts';
import { untilEnded, withWholeSystem } from '../api-whole.ts';
import { drawCameraPhoto } from '../distinct-photos.ts';
import type { Shot } from '../http-load.ts';
import { percentile } from '../measure.ts';
import { alone, compare, sideBySide, type Scenario } from '../scenario.ts';
import { formBody } from '../submission-form.ts';

const path = '/v1/classifications';

/** A photo and question that were answered before, sent again and again, one at a time. */
export const hit: Scenario = {
  name: 'hit',
  summary: 'a photo and question that were answered before, beside a static file of the size of the photo',
  async run({ rounds, count = 200, redisBinary, path: searchPath }) {
    const photo = await drawCameraPhoto();
    return await withBareServer(redisBinary, async (pitch) => {
      await writeFile(join(pitch.dir, 'photo.jpg'), photo);
      return await withWholeSystem(pitch, { PATH: searchPath }, async (api) => {
        const form = formBody({ question: 'Do I have to take the label off?', locale: 'en' }, photo);
        const submission: Omit<Shot, 'status'> = {
          method: 'POST',
          path,
          headers: { ...form.headers, ...apiKeyHeader },
          body: form.body,
        };
        await api.load.fire({ ...submission, status: 202 });
        await untilEnded(api, 1, 60_000);

        const before = { jobs: await api.jobs(), calls: api.calls() };
        const one = { count, concurrency: 1 };
        const pairs = await sideBySide(rounds, {
          baseline: async () => await pitch.bare.load.drive({ method: 'GET', path: '/photo.jpg', status: 200 }, one),
          bunri: async () => await api.load.drive({ ...submission, status: 200 }, one),
        });
        const calls = api.calls();
        const p50 = pairs.map(({ bunri }) => percentile(bunri, 0.5));
        return {
          figures: [
            compare('p50, ms', pairs, (ms) => percentile(ms, 0.5)),
            compare('p99, ms', pairs, (ms) => percentile(ms, 0.99)),
            alone('submit to 200, p50, ms', p50, { atMost: 20 }),
            alone('jobs added', [(await api.jobs()) - before.jobs], { atMost: 0 }),
            alone('model calls', [calls.vision + calls.answer - before.calls.vision - before.calls.answer], {
              atMost: 0,
            }),
          ],
          notes: [
            `one client over one kept connection; it uploads the photo of ${Math.round(photo.byteLength / 1000)} kB with each request, where the other side sends as many bytes back. The six apps, Redis and the S3 server are processes of their own.`,
          ],
        };
      });
    });
  },
};
