import { promisify } from 'node:util';
import express, { type Request, type Response } from 'express';
import type { z } from 'zod';
import { parseInput, Problem } from './problem.ts';

const parseJson = promisify(express.json({ limit: '16kb' }));

/** A small JSON body by its schema; none counts as `{}`. @throws Problem `invalid_request`, `media_type_unsupported` */
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
  await parseJson(request, response);
  return parseInput(schema, request.body ?? {});
}
