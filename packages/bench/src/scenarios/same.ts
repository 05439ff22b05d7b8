import { resourceSchema } from '@bunri/queue-contracts';
import { apiKeyHeader, withBareServer } from '../api-alone.ts';
import { untilEnded, withWholeSystem, type WholeApi } from '../api-whole.ts';
import { distinctPhotos, drawCameraPhoto } from '../distinct-photos.ts';
import { rssOf } from '../process-usage.ts';
import { alone, type Scenario } from '../scenario.ts';
import { formBody } from '../submission-form.ts';

interface Sample {
  readonly vision: number;
  readonly answer: number;
  readonly completed: number;
  readonly seconds: number;
  readonly apiPeakMb: number;
}

/** An interactive request that may wait; the estimate of the api does not know that all of them are one piece of work. */
const path = '/v1/classifications?deadline=600';
const timeoutMs = 240_000;

/** Many people who send the same photo and question at the same moment. */
export const same: Scenario = {
  name: 'same',
  summary: '1,000 identical photos with the same question at once, through the whole system',
  async run({ rounds, count = 1_000, redisBinary, path: searchPath, say }) {
    const photo = distinctPhotos(await drawCameraPhoto());
    return await withBareServer(redisBinary, async (pitch) => {
      return await withWholeSystem(pitch, { PATH: searchPath }, async (api) => {
        const samples: Sample[] = [];
        for (let round = 0; round < rounds; round += 1) {
          samples.push(await crowd(api, photo(round), count, round * count));
          await pitch.bucket.removeUploads();
          say(`round ${round + 1} of ${rounds}: ${JSON.stringify(samples.at(-1))}`);
        }
        const most = (pick: (sample: Sample) => number) => [Math.max(...samples.map(pick))];
        return {
          figures: [
            alone(
              'vision calls, the most of any round',
              most(({ vision }) => vision),
              { atMost: 1 },
            ),
            alone(
              'answer calls, the most of any round',
              most(({ answer }) => answer),
              { atMost: 1 },
            ),
            alone(
              'requests not completed, the most of any round',
              most(({ completed }) => count - completed),
              { atMost: 0 },
            ),
            alone(
              `seconds until all ${count} were completed`,
              samples.map(({ seconds }) => seconds),
            ),
            alone(
              'resident memory of the api, peak, MB',
              samples.map(({ apiPeakMb }) => apiPeakMb),
            ),
          ],
          notes: [
            `${count} connections at once, each with the photo; one process of each app, model calls of 3–5 s and 1–2 s by the simulator, which runs in the client's process.`,
            'the requests give themselves 600 s: the estimate takes each for work of its own, and refuses those that would then be late.',
          ],
        };
      });
    });
  },
};

async function crowd(api: WholeApi, photo: Buffer, count: number, endedBefore: number): Promise<Sample> {
  const form = formBody({ question: 'What about the cap?', locale: 'en' }, photo);
  const shot = { method: 'POST', path, headers: { ...form.headers, ...apiKeyHeader }, body: form.body } as const;
  const before = api.calls();
  let apiPeakMb = 0;
  const watch = setInterval(() => {
    void rssOf(api.pid).then((bytes) => (apiPeakMb = Math.max(apiPeakMb, bytes / 1e6)));
  }, 100);
  const startedAt = performance.now();
  let ids: string[];
  try {
    // Whoever comes after the answer gets it at once.
    const answers = await Promise.all(
      Array.from({ length: count }, async () => await api.load.fire({ ...shot, status: [200, 202] })),
    );
    ids = answers.map((text) => resourceSchema.parse(JSON.parse(text)).id);
    await untilEnded(api, endedBefore + count, timeoutMs);
  } finally {
    clearInterval(watch);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { vision, answer } = api.calls();
  const ends = await Promise.all(
    ids.map(async (id) => {
      const text = await api.load.fire({
        method: 'GET',
        path: `/v1/classifications/${id}`,
        headers: apiKeyHeader,
        status: 200,
      });
      return resourceSchema.parse(JSON.parse(text)).status;
    }),
  );
  const completed = ends.filter((status) => status === 'completed').length;
  return { vision: vision - before.vision, answer: answer - before.answer, completed, seconds, apiPeakMb };
}
