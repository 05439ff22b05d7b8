import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { AppControllerRoute, BullBoardQueues, IServerAdapter, UIConfig } from '@bull-board/api/typings/app';
import { Queue } from 'bullmq';
import express, { Router, type Request } from 'express';
import type { Redis } from 'ioredis';
import { stageNames, stages } from '@bunri/queue-contracts';
import type { BoardMode } from './board-mode.ts';
import { redactBoard } from './board-redaction.ts';
import { invalidField } from './problem.ts';

/**
 * Scripts and data of this service alone. Its styles are set by its script and by attributes, which only `unsafe-inline`
 * lets in; so this policy is for the board's own pages and no others.
 */
export const boardPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Jobs of a state that are read at once. */
const mostJobs = 100;
const mostPages = 1_000_000;

export interface Board {
  /** Its page, for each of the page's own paths. */
  readonly page: string;
  readonly router: Router;
  close(): Promise<void>;
}

/**
 * bull-board over the queues of all stages. Its own adapter for Express would take its page as it is, which loads fonts from
 * elsewhere; this one does not, and leaves out what changes something unless it is told otherwise.
 *
 * @param basePath where it is mounted
 */
export async function createBoard(options: {
  redis: Redis;
  prefix: string;
  basePath: string;
  mode: Exclude<BoardMode, 'off'>;
}): Promise<Board> {
  const { redis, prefix, basePath, mode } = options;
  // Read when somebody opens the board: most processes never need it.
  const [{ createBullBoard }, { BullMQAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
  ]);
  const queues = stageNames.map((stage) => new Queue(stages[stage].queue, { connection: redis, prefix }));
  // Troubles of the connection that the queues share are logged once, where it was opened.
  for (const queue of queues) queue.on('error', () => undefined);
  const readOnlyMode = mode === 'read-only';
  const server = createServerAdapter({ redis, basePath, readOnlyMode });
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode })),
    serverAdapter: server.adapter,
    options: {
      uiBasePath: dirname(createRequire(import.meta.url).resolve('@bull-board/ui/package.json')),
      uiConfig: { boardTitle: 'bunri', hideDocsLink: true, hideRedisDetails: true },
    },
  });
  return {
    page: server.page(),
    router: server.router,
    close: async () => {
      await Promise.all(queues.map(async (queue) => await queue.close()));
    },
  };
}

function createServerAdapter(options: { redis: Redis; basePath: string; readOnlyMode: boolean }) {
  const { redis, basePath, readOnlyMode } = options;
  const router = Router();
  let queues: BullBoardQueues = new Map();
  let uiConfig: UIConfig = {};
  let template = '';
  let page = '';

  function addRoute(served: AppControllerRoute): void {
    for (const method of [served.method].flat()) {
      if (readOnlyMode && method !== 'get') continue;
      router[method](served.route, async (request, response) => {
        // BullMQ waits for a connection that has never been up; the ping fails at once.
        await redis.ping();
        const { params, headers } = request;
        const query = boundQuery(request.query);
        const body = request.body as Record<string, unknown>;
        const told = { queues, uiConfig, query, params, body, headers: headers as Record<string, string> };
        const answer = await served.handler(told);
        response.status(answer.status ?? 200).json(readOnlyMode ? redactBoard(answer.body) : answer.body);
      });
    }
  }

  const adapter: IServerAdapter = {
    setQueues: (given) => ((queues = given), adapter),
    setViewsPath: (path) => ((template = readFileSync(join(path, 'index.ejs'), 'utf8')), adapter),
    setUIConfig: (config) => ((uiConfig = config), adapter),
    setStaticPath(route, path) {
      router.use(
        route,
        express.static(path, { index: false, redirect: false, cacheControl: false, setHeaders: keepFile }),
      );
      return adapter;
    },
    setEntryRoute(entry) {
      page = fillTemplate(template, entry.handler({ basePath, uiConfig }).params);
      return adapter;
    },
    // Errors are told as everywhere else in this service.
    setErrorHandler: () => adapter,
    setApiRoutes(routes) {
      router.use(express.json({ limit: '64kb' }));
      routes.forEach(addRoute);
      return adapter;
    },
  };
  return { adapter, router, page: () => page };
}

/** Most of its files have the hash of their content in their names; the others are small, and change with a release. */
function keepFile(response: ServerResponse, path: string): void {
  const isHashed = /\.[0-9a-f]{8,}\.\w+$/.test(path);
  response.setHeader('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'public, max-age=3600');
}

/**
 * What is asked for, with bounds to the jobs of a page and to the pages: the library itself has none.
 * @throws Problem `invalid_request` for a name that is no queue's, of which the library makes an internal error
 */
function boundQuery(query: Request['query']): Request['query'] {
  for (const name of ['activeQueue', 'queueName']) {
    const given = query[name];
    if (typeof given === 'string' && !/^[\w.]*$/.test(given)) throw invalidField(name, 'is not the name of a queue');
  }
  const bounds = Object.entries({ jobsPerPage: mostJobs, page: mostPages });
  const over = bounds.filter(([name, most]) => Number(query[name]) > most);
  return { ...query, ...Object.fromEntries(over.map(([name, most]) => [name, String(most)])) };
}

/** @throws when the page would load something from elsewhere, or has a place that nothing is known for */
function fillTemplate(template: string, params: Readonly<Record<string, string>>): string {
  const page = template
    .replaceAll(/<link href="https:\/\/fonts\.googleapis\.com[^>]*>/g, '')
    .replaceAll(/<%([=-]) (\w+) %>/g, (_place, kind: string, name: string) => {
      const text = params[name];
      if (text === undefined) throw new Error(`nothing is known for ${name} on the page of bull-board`);
      return kind === '-' ? text : text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
    });
  if (/<%|(?:src|href)="(?:https?:)?\/\//.test(page)) throw new Error('the page of bull-board is not as expected');
  return page;
}
