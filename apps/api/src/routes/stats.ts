import { Router, type Request } from 'express';
import * as z from 'zod';
import { dailyCells, dailyColumns, dailyDocumentSchema, plainCsv } from '@bunri/queue-contracts';
import { createKeys, dailyObjectKey, dayInSeoul, summariseDay, type RecordStore, type Storage } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { invalidField, parseInput, Problem } from '../problem.ts';

export interface StatsDeps {
  readonly admit: Admit;
  readonly records: RecordStore;
  readonly prefix: string;
  readonly storage: Storage;
  readonly caps: { readonly totalUsd?: number | undefined; readonly ownerUsd?: number | undefined };
  readonly now: () => number;
}

export const mostDays = 92;
const usualDays = 7;
const dayMs = 24 * 3600 * 1000;
/** Documents that are read from the bucket at once. */
const readsAtOnce = 16;

export const statsQuerySchema = z.strictObject({
  from: z.iso.date().optional().meta({ description: 'The first day; without it a week up to `to`.' }),
  to: z.iso.date().optional().meta({ description: 'The last day; without it today, in Seoul.' }),
});

const dayStatisticsSchema = dailyDocumentSchema
  .extend({
    source: z.enum(['archive', 'counters', 'none']).meta({
      description:
        'Where the figures are from: the document of a day that is over, the counters as they stand, or nowhere, as before the service was there.',
    }),
  })
  .meta({ id: 'DayStatistics' });
type DayStatistics = z.infer<typeof dayStatisticsSchema>;

const usd = z.number().nonnegative().nullable();
export const statsSchema = z
  .object({
    from: z.iso.date(),
    to: z.iso.date(),
    time_zone: z.literal('Asia/Seoul'),
    caps: z
      .object({ day_usd: usd, owner_usd: usd })
      .meta({ description: 'What may be spent on models in a day, in all and by one owner; null without a cap.' }),
    days: z.array(dayStatisticsSchema),
  })
  .meta({ id: 'Statistics' });

export const statsTypes = ['application/json', 'text/csv'] as const;

/** What the service did and what it cost, of all owners together; so it needs the scope `admin`. */
export function statsRoutes(deps: StatsDeps): Router {
  const { admit, caps, now } = deps;
  const readDay = createDayReader(deps);
  const router = Router();
  router.get('/v1/stats/daily', async (request, response) => {
    await admit(request, response, 'admin');
    const { from, to } = rangeOf(request, dayInSeoul(now()));
    const type = request.accepts([...statsTypes]);
    if (type === false) throw new Problem('not_acceptable', `Accept ${statsTypes.join(' or ')}.`);
    const days = await readDays(daysBetween(from, to), readDay);
    response.vary('Accept');
    if (type === 'text/csv') {
      const lines = days.map((day) => [...dailyCells(day), day.source]);
      response.attachment(`statistics-${from}-${to}.csv`).type('text/csv');
      response.send(plainCsv([[...dailyColumns, 'source'], ...lines]));
      return;
    }
    const { totalUsd = null, ownerUsd = null } = caps;
    response.json({ from, to, time_zone: 'Asia/Seoul', caps: { day_usd: totalUsd, owner_usd: ownerUsd }, days });
  });
  return router;
}

/** @throws Problem `invalid_request` for days to come, in the wrong order, or too many */
function rangeOf(request: Request, today: string): { from: string; to: string } {
  const given = parseInput(statsQuerySchema, request.query);
  const to = given.to ?? today;
  if (to > today) throw invalidField('to', `is after today, ${today} in Seoul`);
  const from = given.from ?? dayAfter(to, 1 - usualDays);
  if (from > to) throw invalidField('from', 'is after the last day');
  if (dayAfter(from, mostDays) <= to) throw invalidField('from', `is more than ${mostDays} days before the end`);
  return { from, to };
}

function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(day) + days * dayMs).toISOString().slice(0, 10);
}

function daysBetween(from: string, to: string): string[] {
  const count = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  return Array.from({ length: count }, (_, i) => dayAfter(from, i));
}

async function readDays(days: readonly string[], read: (day: string) => Promise<DayStatistics>) {
  const found: DayStatistics[] = [];
  for (let i = 0; i < days.length; i += readsAtOnce) {
    found.push(...(await Promise.all(days.slice(i, i + readsAtOnce).map(read))));
  }
  return found;
}

/** A day that is over and has no document yet is told by its counters, as today is. */
function createDayReader({ records: { redis }, prefix, storage, now }: StatsDeps) {
  const keys = createKeys(prefix);
  return async (day: string): Promise<DayStatistics> => {
    if (day < dayInSeoul(now())) {
      const archived = await storage.getBytes(dailyObjectKey(day));
      if (archived) {
        const document = dailyDocumentSchema.parse(JSON.parse(Buffer.from(archived).toString()));
        return { ...document, source: 'archive' };
      }
    }
    const counters = await redis.hgetall(keys.statistics(day));
    return { ...summariseDay(day, counters), source: Object.keys(counters).length > 0 ? 'counters' : 'none' };
  };
}
