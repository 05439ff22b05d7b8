import { promisify } from 'node:util';
import express, { type Request, type Response } from 'express';
import type { z } from 'zod';
import { jsonTooLarge, parseInput, Problem } from './problem.ts';
import { lingerThenClose } from './upload.ts';

/** A body of a few kilobytes that has not come by then is not coming: connections and memory are for others. */
const bodyTimeoutMs = 15_000;

const [smallBytes, largeBytes] = [16 * 2 ** 10, 64 * 2 ** 10];
const small = promisify(express.json({ limit: smallBytes }));
const large = promisify(express.json({ limit: largeBytes }));

/**
 * Reads a JSON body into `request.body`, in a bounded time: 16 kB of it, or 64.
 * @throws Problem `body_too_large`, before any of it is read where its length is told; `request_timeout`, after which the
 * connection ends; the parser's own errors
 */
export async function receiveJson(
  request: Request,
  response: Response,
  { isLarge = false, timeoutMs = bodyTimeoutMs }: { isLarge?: boolean; timeoutMs?: number } = {},
): Promise<void> {
  // The parser would read all of it before it says so.
  if (Number(request.headers['content-length'] ?? 0) > (isLarge ? largeBytes : smallBytes)) {
    lingerThenClose(request, response);
    throw jsonTooLarge();
  }
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    response.once('finish', () => request.destroy());
    reject(tooSlow());
  }, timeoutMs);
  const parsed = (isLarge ? large : small)(request, response);
  // After the time-out nobody waits for what the parser says.
  parsed.catch(() => undefined);
  try {
    await Promise.race([parsed, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tooSlow(): Problem {
  const detail = 'The body did not arrive in time. Send the request again over a better connection.';
  return new Problem('request_timeout', detail, { headers: { connection: 'close' } });
}

/** A small JSON body by its schema; none counts as `{}`. @throws Problem `invalid_request`, `media_type_unsupported`, `request_timeout` */
export async function readJson<Schema extends z.ZodType>(
  schema: Schema,
  request: Request,
  response: Response,
): Promise<z.infer<Schema>> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  const empty = encoding === undefined && Number(length) === 0;
  if (!empty && !request.is('application/json')) {
    throw new Problem('media_type_unsupported', 'Send application/json, or no body for the defaults.');
  }
  await receiveJson(request, response);
  return parseInput(schema, request.body ?? {});
}
