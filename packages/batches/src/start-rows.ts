import type { Request } from '@bunri/queue-contracts';
import { newRequestId } from '@bunri/runtime';
import { chunkOf, firstRowOf, mayStart, rowsPerChunk } from './batch-keys.ts';
import type { BatchState } from './batch-state.ts';
import { getRows } from './chunks.ts';
import { forEachOf, type FeederDeps } from './feeder-deps.ts';
import type { Row } from './row.ts';
import type { EndedRow } from './settle-rows.ts';

const rowGone = {
  code: 'image_missing',
  message: 'What the row asked for is past its retention. Send it in a new batch.',
} as const;

/** Each submission waits for Redis three times. */
const submitsAtOnce = 20;

/**
 * Starts rows until there is no more room. A row's request has its id from before it is sent: should this process end in
 * between, the next look finds the row in flight without a request, and sends it under the same id.
 */
export async function startRows(
  deps: FeederDeps,
  state: BatchState,
): Promise<{ started: number; stopped: 'room' | 'budget' | 'closed' | null; refused: EndedRow[] }> {
  const { store, limits } = deps;
  const { id } = state.spec;
  const refused: EndedRow[] = [];
  let started = 0;
  for (let { next } = state; next <= state.total;) {
    const chunk = chunkOf(next);
    const after = Math.min(firstRowOf(chunk) + rowsPerChunk, state.total + 1);
    const marks = await store.outcomes(id, chunk);
    const proposed = new Map<number, string>();
    for (let row = next; row < after; row += 1) {
      if (mayStart(marks[row - firstRowOf(chunk)])) proposed.set(row, newRequestId());
    }
    const claimed = await store.claim(id, { next, after, limits }, proposed);
    refused.push(...(await sendRows(deps, state, claimed.rows)));
    started += claimed.rows.size;
    if (claimed.stopped) return { started, stopped: claimed.stopped, refused };
    next = after;
  }
  return { started, stopped: null, refused };
}

/**
 * Sends rows that are in flight. One that cannot be sent now stays in flight, and is sent again at the next look.
 * @returns those that will never be a request
 */
export async function sendRows(
  deps: FeederDeps,
  state: BatchState,
  flight: ReadonlyMap<number, string>,
): Promise<EndedRow[]> {
  const { id } = state.spec;
  const refused: EndedRow[] = [];
  const byChunk = Map.groupBy(flight, ([row]) => chunkOf(row));
  for (const [chunk, of] of byChunk) {
    const rows = await getRows(deps.storage, id, chunk);
    const marks = await deps.store.outcomes(id, chunk);
    await forEachOf(of, submitsAtOnce, async ([number, requestId]) => {
      const row = rows?.get(number);
      if (!row) {
        refused.push({ row: number, requestId, end: rowGone });
        return;
      }
      // A row that runs again is a new request: its own key would give the old one.
      const key = marks[number - firstRowOf(chunk)] === 'r' ? undefined : row.key;
      try {
        const sent = await deps.submitRow(toRequest(state, row, requestId, deps.now()), key);
        if (sent.outcome === 'refused')
          refused.push({ row: number, requestId, end: { code: 'idempotency_conflict', message: sent.message } });
        else if (sent.id !== requestId) await deps.store.rename(id, number, { from: requestId, to: sent.id });
      } catch (error) {
        deps.log.warn('a row could not be sent; it is tried again', { batch_id: id, row: number, error });
      }
    });
  }
  return refused;
}

function toRequest({ spec, deadlineAt }: BatchState, row: Row, id: string, createdAt: number): Request {
  const { image } = row;
  const models = row.models ?? spec.models;
  const region = row.region ?? spec.region;
  const metadata = row.metadata || spec.metadata ? { ...spec.metadata, ...row.metadata } : undefined;
  return {
    id,
    owner: spec.owner,
    question: row.question ?? spec.question ?? '',
    locale: row.locale ?? spec.locale,
    source:
      image.kind === 'url'
        ? { kind: 'url', url: image.url }
        : { kind: 'upload', key: image.key, sha256: image.sha256, sizeBytes: image.sizeBytes },
    priority: 'batch',
    createdAt,
    deadlineAt: row.deadlineS === undefined ? deadlineAt : Math.min(deadlineAt, createdAt + row.deadlineS * 1000),
    ...(models ? { models } : {}),
    ...(region === undefined ? {} : { region }),
    ...(metadata ? { metadata } : {}),
    batch: { id: spec.id, row: row.row },
  };
}
