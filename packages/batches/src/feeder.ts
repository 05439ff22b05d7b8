import { isTerminal, type RequestStatus } from '@bunri/queue-contracts';
import type { BatchState } from './batch-state.ts';
import { forEachOf, type FeederDeps } from './feeder-deps.ts';
import { removeStep } from './remove-batch.ts';
import { lostRow, readEnded, settleRows, type EndedRow } from './settle-rows.ts';
import { sendRows, startRows } from './start-rows.ts';

/** One look at a batch. @returns ms until the next one; null where nothing more will happen by itself. */
export type LookAtBatch = (id: string) => Promise<number | null>;

/** While rows end one after the other, and while nothing moves. */
const busyMs = 200;
const idleMs = 1_000;
/** What keeps rows from starting, such as a spending cap, lasts longer. */
const heldMs = 5_000;
/** A validation tells every few seconds that it goes on. */
const validationSilenceMs = 60_000;
/** Less than records are kept at least: of a younger request a missing record means that it was never accepted. */
const acceptedOrNotMs = 30 * 60_000;
const cancelsAtOnce = 50;

/**
 * Brings batches forward: settles what has ended, sends again what was claimed and never sent, starts what there is room
 * for. All that it knows is in Redis and in the bucket, so that any process may take the next look, after any end of the last;
 * two that look at once do no harm.
 */
export function createFeeder(deps: FeederDeps): LookAtBatch {
  const { store, log } = deps;

  return async (id) => {
    const state = await store.get(id);
    if (!state) {
      await store.forget(id);
      return null;
    }
    if (state.status === 'validating') {
      await store.refuse(state.spec, {
        reason: 'validation_interrupted',
        staleBefore: deps.now() - validationSilenceMs,
      });
      // Soon: whoever begins it finds its job standing, and cannot call it earlier.
      return idleMs;
    }
    const flight = await lookAtFlight(deps, state);
    if (state.deletion) {
      await settleRows(deps, state, flight.refused);
      if (state.inFlight > 0) return busyMs;
      // Whoever validates it still writes rows and photos.
      if ((state.validationSeenAt ?? 0) > deps.now() - validationSilenceMs) return idleMs;
      return await removeStep(deps, state, state.deletion);
    }
    const isOpen = state.status === 'queued' || state.status === 'running';
    const held = isOpen ? await deps.refusalOf(state.spec.owner) : null;
    if (held !== state.held) await store.hold(id, held);
    const { started, stopped, refused } =
      isOpen && held === null ? await startRows(deps, state) : { started: 0, stopped: null, refused: [] };
    await settleRows(deps, state, [...flight.refused, ...refused]);
    const { status, rested } = await store.rest(id, stopped === 'budget');
    if (status === 'gone') return 0;
    if (!rested) return started + flight.ended > 0 ? busyMs : held === null ? idleMs : heldMs;
    await store.close(state.spec);
    log.info('batch', { batch_id: id, status });
    return null;
  };
}

/** Settles what has ended, sends again what was not accepted, and stops what is to be canceled. */
async function lookAtFlight(deps: FeederDeps, state: BatchState): Promise<{ ended: number; refused: EndedRow[] }> {
  const flight = [...(await deps.store.flight(state.spec.id))];
  if (flight.length === 0) return { ended: 0, refused: [] };
  const statuses = await readStatuses(deps, flight);
  const having = (fits: (status: RequestStatus | null) => boolean) =>
    flight.filter((_, i) => fits(statuses[i] ?? null));
  const missing = Map.groupBy(
    having((status) => status === null),
    ([, requestId]) => (deps.now() - idTime(requestId) > acceptedOrNotMs ? 'lost' : 'unsent'),
  );
  const ended = await readEnded(
    deps,
    having((status) => status !== null && isTerminal(status)),
  );
  const lost = (missing.get('lost') ?? []).map(([row, requestId]) => lostRow(row, requestId));
  await settleRows(deps, state, [...ended, ...lost]);
  const refused = await sendRows(deps, state, new Map(missing.get('unsent')));
  if (state.status === 'canceled') {
    await cancelRows(
      deps,
      state,
      having((status) => status === null || !isTerminal(status)),
    );
  }
  return { ended: ended.length + lost.length, refused };
}

async function readStatuses(
  { records }: FeederDeps,
  flight: readonly (readonly [number, string])[],
): Promise<(RequestStatus | null)[]> {
  const reads = records.redis.pipeline();
  for (const [, requestId] of flight) reads.hget(records.keys.record(requestId), 'status');
  const answers = (await reads.exec()) ?? [];
  return answers.map(([error, status]) => {
    if (error) throw error;
    return status as RequestStatus | null;
  });
}

/** Not those of others that a row's idempotency key has named. */
async function cancelRows(
  { records }: FeederDeps,
  { spec }: BatchState,
  rows: readonly (readonly [number, string])[],
): Promise<void> {
  await forEachOf(rows, cancelsAtOnce, async ([, requestId]) => {
    const record = await records.get(requestId);
    if (record?.request.batch?.id === spec.id) await records.cancel(requestId);
  });
}

/** When the id was given out, epoch ms: the first 48 bits of a UUID v7 (RFC 9562). */
function idTime(requestId: string): number {
  return Number.parseInt(requestId.slice('req_'.length, 'req_'.length + 12), 16);
}
