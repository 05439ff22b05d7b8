import * as z from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { boardPath } from './routes/board.ts';
import { sessionPath } from './routes/session.ts';
import { mostDays, statsQuerySchema, statsSchema } from './routes/stats.ts';
import { sitePaths } from './openapi-page.ts';
import { admission, json, problems } from './openapi-parts.ts';

const runs = (completed: number, p50: number, p95: number) => ({ completed, cached: 0, duration_ms: { p50, p95 } });

const statsExample: z.input<typeof statsSchema> = {
  from: '2026-11-22',
  to: '2026-11-22',
  time_zone: 'Asia/Seoul',
  caps: { day_usd: 50, owner_usd: null },
  days: [
    {
      day: '2026-11-22',
      time_zone: 'Asia/Seoul',
      requests: { accepted: 1_204, completed: 1_180, failed: 9, canceled: 15, cached: 310 },
      categories: { recyclable: 842, general: 201 },
      failures: { model_unavailable: 9 },
      stages: { preprocess: runs(894, 74, 190), vision: runs(820, 3_600, 4_900), llm: runs(811, 1_400, 1_950) },
      usage: { vision: { input_tokens: 6_494_400, output_tokens: 410_000, cost_usd: 12.21 } },
      source: 'counters',
    },
  ],
};
const csvExample = 'day,accepted,completed,failed\r\n2026-11-22,1204,1180,9\r\n';

/** How the service is doing, for those who run it, and their pages. */
export function operationPaths(): ZodOpenApiPathsObject {
  return { ...statsPaths(), ...sessionPaths(), ...pagePaths() };
}

function statsPaths(): ZodOpenApiPathsObject {
  return {
    '/v1/stats/daily': {
      get: {
        operationId: 'getDailyStatistics',
        summary: 'What was done and what it cost, day by day',
        description: `Of all owners together, by the days of Seoul, at most ${mostDays} of them. As CSV a day is a line, and its columns are named in the first: \`day\`, the requests, \`category_…\`, \`failed_…\`, for each stage its \`…_completed\`, \`…_cached\`, \`…_p50_ms\`, \`…_p95_ms\`, \`…_input_tokens\`, \`…_output_tokens\` and \`…_cost_usd\`, and \`source\`. Read columns by their names: later releases add some.`,
        tags: ['administration'],
        requestParams: { query: statsQuerySchema },
        responses: {
          200: {
            description: 'The days from the first to the last.',
            content: { ...json(statsSchema, statsExample), 'text/csv': { schema: z.string(), example: csvExample } },
          },
          ...problems('invalid_request', 'not_acceptable', 'storage_unavailable', ...admission),
        },
      },
    },
  };
}

function sessionPaths(): ZodOpenApiPathsObject {
  return {
    [sessionPath]: {
      post: {
        operationId: 'openSession',
        summary: 'Open a session for a browser',
        description:
          'Sets a cookie that stands for the key for an hour: of this site alone (`SameSite=Strict`), out of reach of scripts, and taken from pages of this origin only. It looks on, retries and repairs; to submit anything takes the key itself. It ends at once where the key is revoked.',
        tags: ['administration'],
        responses: { 204: { description: 'The cookie is set.' }, ...problems(...admission) },
      },
      delete: {
        operationId: 'closeSession',
        summary: 'End the session of this browser',
        tags: ['administration'],
        responses: { 204: { description: 'It is over.' }, ...problems(...admission) },
      },
    },
  };
}

function pagePaths(): ZodOpenApiPathsObject {
  const text = (type: string) => ({ [type]: { schema: z.string() } });
  return {
    ...sitePaths('/ops', {
      page: {
        operationId: 'getOpsPage',
        summary: 'The page of operation',
        description: 'It holds no figures: for these it asks for a key with the scope `admin`, and opens a session.',
      },
      asset: { operationId: 'getOpsAsset', summary: 'A file of the page of operation' },
    }),
    [boardPath]: {
      get: {
        operationId: 'getBoard',
        summary: 'The queues job by job, as bull-board shows them',
        description:
          'For a browser with a session of an administrator. What it shows says of jobs where they belong, and nothing of what was asked or answered, unless the service was told to show all. `BULL_BOARD` switches it off.',
        tags: ['operation'],
        security: [],
        responses: {
          200: { description: 'The board.', content: text('text/html') },
          303: { description: 'Without a session: to `/ops`, where one is opened.' },
          ...problems('not_found', 'forbidden', 'rate_limited', 'service_unavailable', 'internal_error'),
        },
      },
    },
  };
}
