import { Router, type Request, type Response } from 'express';
import type { Audit, RecordStore } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { boardPolicy, createBoard } from '../board.ts';
import type { BoardMode } from '../board-mode.ts';
import { Problem } from '../problem.ts';
import { once } from '../web/packed-file.ts';

export interface BoardDeps {
  readonly admit: Admit;
  readonly audit: Audit;
  readonly records: RecordStore;
  readonly prefix: string;
  readonly board: {
    readonly mode: BoardMode;
    /** Told how to close what was opened for it. */
    readonly onOpen: (close: () => Promise<void>) => void;
  };
}

export const boardPath = '/admin/queues';

/** The queues of BullMQ, job by job, for a browser with a session. What its API answers is bull-board's own. */
export function boardRoutes(deps: BoardDeps): Router {
  const { admit, audit, records, prefix } = deps;
  const { mode, onOpen } = deps.board;
  const readBoard = once(async () => {
    if (mode === 'off') throw switchedOff();
    const board = await createBoard({ redis: records.redis, prefix, basePath: boardPath, mode });
    onOpen(async () => await board.close());
    return board;
  });

  async function sendPage(request: Request, response: Response): Promise<void> {
    if (mode === 'off') throw switchedOff();
    try {
      await admit(request, response, 'admin');
    } catch (error) {
      // Where a person can say who they are.
      if (!(error instanceof Problem) || error.code !== 'unauthorized') throw error;
      response.redirect(303, '/ops');
      return;
    }
    const { page } = await readBoard();
    response.set('content-security-policy', boardPolicy).type('html').send(page);
  }

  const router = Router();
  router.get(boardPath, sendPage);
  router.use(boardPath, async (request, response, next) => {
    if (isPage(request)) {
      await sendPage(request, response);
      return;
    }
    if (mode === 'off') throw switchedOff();
    // The library's own files are no secret.
    if (!request.path.startsWith('/static/')) {
      const { keyId } = await admit(request, response, 'admin');
      if (mode === 'full' && isChange(request)) {
        const action = `board.${request.method.toLowerCase()}`;
        await audit.record({ actor: keyId, action, target: request.path, outcome: 'begun' });
      }
    }
    const board = await readBoard();
    board.router(request, response, next);
  });
  return router;
}

function switchedOff(): Problem {
  return new Problem('not_found', 'The board of queues is switched off here.');
}

function isPage({ method, path }: Request): boolean {
  return method === 'GET' && !path.startsWith('/api/') && !path.startsWith('/static/');
}

function isChange({ method }: Request): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
}
