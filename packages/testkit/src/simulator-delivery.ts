import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiError, Effect } from './simulator-effects.ts';

/** One answer on its way to a client. */
export interface Delivery {
  readonly res: ServerResponse;
  /** Aborted when the connection is gone, whoever ended it. */
  readonly gone: AbortSignal;
  /** Breaks the connection from this side. */
  readonly breakOff: () => void;
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** An error in the shape that OpenAI's API gives it. */
export function sendError(res: ServerResponse, status: number, error: ApiError): void {
  const { code, message, type = 'invalid_request_error', param = null } = error;
  sendJson(res, status, { error: { message, type, param, code } });
}

async function endWith(cut: Effect['cut'], { res, gone, breakOff }: Delivery): Promise<void> {
  switch (cut) {
    case 'none':
    case 'end':
      res.end();
      return;
    case 'break':
      breakOff();
      return;
    case 'stall':
      await untilGone(gone);
  }
}

/** Waits, then sends the body, or half of it where the delivery is cut. */
export async function deliverJson(
  delivery: Delivery,
  body: string,
  cut: Effect['cut'],
  latencyMs: number,
): Promise<void> {
  const { res, gone } = delivery;
  await delay(latencyMs, undefined, { signal: gone });
  res.writeHead(200, { 'content-type': 'application/json' });
  await written(delivery, cut === 'none' ? body : body.slice(0, Math.floor(body.length / 2)));
  await endWith(cut, delivery);
}

/** Sends the first event at once and the others evenly over the latency; half of them where the delivery is cut. */
export async function deliverEvents(
  delivery: Delivery,
  events: readonly string[],
  cut: Effect['cut'],
  latencyMs: number,
): Promise<void> {
  const { res, gone } = delivery;
  const sent = cut === 'none' ? events : events.slice(0, Math.ceil(events.length / 2));
  const startedAt = performance.now();
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  for (const [index, event] of sent.entries()) {
    // Each event has its time on the way, so that the lateness of timers does not add up.
    const dueMs = (latencyMs * index) / (events.length - 1) - (performance.now() - startedAt);
    if (dueMs > 0) await delay(dueMs, undefined, { signal: gone });
    gone.throwIfAborted();
    await written(delivery, event);
  }
  await endWith(cut, delivery);
}

/** Resolves once the bytes are with the operating system, so that a break afterwards does not take them along. */
function written({ res, gone }: Delivery, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(gone.reason);
    gone.addEventListener('abort', stop, { once: true });
    res.write(text, (error) => {
      gone.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Says nothing more until the client gives up. */
export async function untilGone(gone: AbortSignal): Promise<void> {
  if (gone.aborted) return;
  await new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve(), { once: true }));
}
