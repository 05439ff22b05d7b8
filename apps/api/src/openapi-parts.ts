import * as z from 'zod';
import type { ZodOpenApiResponsesObject } from 'zod-openapi';
import { requestIdSchema } from '@bunri/queue-contracts';
import { Problem, problemDocument, problemSchema, type ProblemCode } from './problem.ts';

/** A JSON body by its schema, with an example where the schema has none of its own. */
export const json = <Schema extends z.ZodType>(schema: Schema, example?: z.input<Schema>) => ({
  'application/json': { schema, ...(example === undefined ? {} : { example }) },
});

/** The refusals of an operation by their status. */
export function problems(...codes: ProblemCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(codes, (code) => new Problem(code, '').status);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      String(status) as `${4 | 5}${string}`,
      {
        description: of.map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: problemSchema, examples: examplesOf(of) } },
      },
    ]),
  );
}

function examplesOf(codes: readonly ProblemCode[]): Record<string, { value: unknown }> {
  const detail = 'What happened, and what to do.';
  const value = (code: ProblemCode) =>
    problemDocument(new Problem(code, detail), '6f1f8c3e-5d2f-4b1c-8e4a-6f0d3b5c7e91');
  return Object.fromEntries(codes.map((code) => [code, { value: value(code) }]));
}

/** What every operation below `/v1` may answer. */
export const admission = [
  'unauthorized',
  'forbidden',
  'rate_limited',
  'service_unavailable',
  'internal_error',
] as const;
/** What an operation may answer that reads a JSON body. */
export const jsonBody = ['invalid_request', 'request_timeout', 'body_too_large', 'media_type_unsupported'] as const;
export const exampleId = 'req_019a7c3e5d2f7b1c8e4a6f0d3b5c7e91';
export const idPath = z.object({ id: requestIdSchema.meta({ examples: [exampleId] }) });
