import { Redis } from 'ioredis';
import { apiKeyHeader, startApiAlone, withBareServer, type Pitch } from '../api-alone.ts';
import { drawCameraPhoto } from '../distinct-photos.ts';
import type { HttpLoad, Shot } from '../http-load.ts';
import { percentile, slope } from '../measure.ts';
import { rssOf } from '../process-usage.ts';
import { alone, compare, sideBySide, type Figure, type Pair, type Scenario } from '../scenario.ts';
import type { ServerProcess } from '../server-process.ts';
import { measureSpell, standstillNote, type Spell } from '../spell.ts';
import { formBody } from '../submission-form.ts';

type Server = ServerProcess & { readonly load: HttpLoad };

/** What is submitted, in either form. */
interface Body {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

interface Sample {
  readonly spell: Spell;
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly p50Ms: number;
}

const concurrency = 8;
/** How many submissions the memory is watched for, in rounds of `count`. */
const watchedRounds = 25;
const samplesARound = 2;
const fields = { question: 'Do I have to take the label off?', locale: 'en' };

/** Submissions to an api without workers, beside servers that do the same work and nothing else. */
export const submit: Scenario = {
  name: 'submit',
  summary: 'submissions to the api alone, beside bare Express + busboy + S3 put',
  async run({ rounds, count = 400, redisBinary, say }) {
    const photo = await drawCameraPhoto();
    const form = formBody(fields, photo);
    const json = {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...fields, image_url: 'https://photos.example.com/bottle.jpg' }),
    };
    return await withBareServer(redisBinary, async (pitch) => {
      const api = await pitch.open(async () => await startApiAlone(pitch));
      const beside = async (barePath: string, body: Body, of: number) => {
        say(`beside ${barePath} of the bare server`);
        return await measureBeside({ pitch, api, rounds, barePath, body, count: of });
      };
      const forms = await beside('/form', form, count);
      const jsons = await beside('/json', json, count * 4);
      const flows = await beside('/flow', json, count * 4);
      say(`${count * watchedRounds} submissions, for the memory`);
      const memory = await watchMemory(pitch, api, form, count);
      return {
        figures: [
          compare('multipart, 1 MP: requests a second', forms, ({ perSecond }) => perSecond, { atLeast: 0.8 }),
          compare('multipart: CPU ms of the server a request', forms, ({ cpuMs }) => cpuMs),
          compare('multipart: p50, ms', forms, ({ p50Ms }) => p50Ms),
          compare('JSON by URL: requests a second', jsons, ({ perSecond }) => perSecond, { atLeast: 0.8 }),
          compare('JSON by URL: CPU ms of the server a request', jsons, ({ cpuMs }) => cpuMs),
          compare('JSON by URL: p50, ms', jsons, ({ p50Ms }) => p50Ms),
          compare('JSON by URL, beside one that adds the flow too: requests a second', flows, (of) => of.perSecond),
          compare('JSON by URL, beside the same: CPU ms of the server a request', flows, ({ cpuMs }) => cpuMs),
          ...memory,
        ],
        notes: [...notes(photo), ...standstillNote('requests a second and CPU', [...forms, ...jsons, ...flows])],
      };
    });
  },
};

function notes(photo: Buffer): string[] {
  return [
    `${concurrency} clients with kept connections; a photo of ${Math.round(photo.byteLength / 1000)} kB. Client, S3 server (fauxqs), Redis and both servers are processes of their own; both servers run from their sources, with what the chart and the image set for the api.`,
    'multipart beside Express + busboy + one S3 put of the buffered file; JSON beside Express + its JSON parser + one Redis SET. Neither checks, hashes, counts, logs or enqueues anything; the one that adds the flow adds the same four jobs by BullMQ alone.',
    'JSON by URL only: there are no upload ids.',
    'The rate limit (RATE_LIMIT_PER_MINUTE) is so high here that the limiter never waits: it counts behind the requests.',
    `memory: multipart submissions without a pause, resident memory read ${samplesARound * watchedRounds} times, a line fitted to the second half.`,
  ];
}

async function measureBeside(options: {
  pitch: Pitch;
  api: Server;
  rounds: number;
  barePath: string;
  body: Body;
  count: number;
}): Promise<Pair<Sample>[]> {
  const { pitch, api, rounds, barePath, body, count } = options;
  const measure = async (server: Server, shot: Shot) => {
    const sample = await measureSide(server, shot, count);
    await clear(pitch);
    return sample;
  };
  return await sideBySide(rounds, {
    baseline: async () => await measure(pitch.bare, { ...body, method: 'POST', path: barePath, status: 202 }),
    bunri: async () => await measure(api, submission(body)),
  });
}

function submission({ headers, body }: Body): Shot {
  return { method: 'POST', path: '/v1/classifications', headers: { ...headers, ...apiKeyHeader }, body, status: 202 };
}

async function measureSide({ load, pid }: Server, shot: Shot, count: number): Promise<Sample> {
  const { result: ms, spell } = await measureSpell([pid], async () => await load.drive(shot, { count, concurrency }));
  const [cpuSeconds = 0] = spell.cpuSeconds;
  return {
    spell,
    perSecond: count / (spell.ranMs / 1000),
    cpuMs: (cpuSeconds * 1000) / count,
    p50Ms: percentile(ms, 0.5),
  };
}

/** Nothing of a round stands in the way of the next. */
async function clear({ bucket, redis }: Pitch): Promise<void> {
  await bucket.removeUploads();
  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
}

async function watchMemory(pitch: Pitch, api: Server, body: Body, count: number): Promise<Figure[]> {
  const total = count * watchedRounds;
  const every = Math.max(1, Math.floor(count / samplesARound));
  const samples: { x: number; y: number }[] = [];
  await api.load.drive(submission(body), {
    count: total,
    concurrency,
    each: async (done) => {
      if (done % every !== 0) return;
      samples.push({ x: done / 1000, y: (await rssOf(api.pid)) / 1e6 });
      await pitch.bucket.removeUploads();
    },
  });
  const second = samples.slice(Math.floor(samples.length / 2));
  return [
    alone('resident memory, growth in MB per 1,000 submissions', [slope(second)], { atMost: 1 }),
    alone(`resident memory at the end of ${total} submissions, MB`, [samples.at(-1)?.y ?? Number.NaN]),
  ];
}
