import * as z from 'zod';

/** The `limit` of a listing's query, at most 100 unless told otherwise. @param description what is counted */
export function pageLimit(description: string, { most = 100, usual = 20 } = {}) {
  return z.coerce
    .number()
    .int()
    .min(1)
    .max(most)
    .default(usual)
    .meta({ description, override: { type: 'integer' } });
}
