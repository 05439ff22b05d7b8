import * as z from 'zod';
import type { ZodOpenApiResponsesObject } from 'zod-openapi';
import { requestIdSchema } from '@bunri/queue-contracts';
import { Problem, problemSchema, type ProblemCode } from './problem.ts';

export const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

/** The refusals of an operation by their status. */
export function problems(...codes: ProblemCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(codes, (code) => new Problem(code, '').status);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      String(status) as `${4 | 5}${string}`,
      {
        description: of.map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ]),
  );
}

/** What every operation below `/v1` may answer. */
export const admission = [
  'unauthorized',
  'forbidden',
  'rate_limited',
  'service_unavailable',
  'internal_error',
] as const;
export const idPath = z.object({ id: requestIdSchema });
