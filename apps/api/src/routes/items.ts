import { Router } from 'express';
import * as z from 'zod';
import { locales, type Locale } from '@bunri/queue-contracts';
import { catalogueVersion, publicItems, searchItems, type PublicItems } from '@bunri/knowledge';
import type { Admit } from '../admission.ts';
import { namesTag } from '../entity-tag.ts';
import { pageLimit } from '../page-limit.ts';
import { parseInput } from '../problem.ts';

export const itemsQuerySchema = z.strictObject({
  q: z.string().trim().min(1).max(200).optional().meta({ description: 'Words of an item’s name, best matches first.' }),
  locale: z.enum(locales).default('ko'),
  limit: pageLimit('Most matches of a search.', { most: 50, usual: 10 }),
});

export function itemRoutes({ admit }: { admit: Admit }): Router {
  const router = Router();
  router.get('/v1/items', async (request, response) => {
    await admit(request, response, 'read');
    const { q, locale, limit } = parseInput(itemsQuerySchema, request.query);
    // The catalogue changes only with a release: its version names every answer that is made of it.
    const etag = `"${catalogueVersion}"`;
    response.set({ etag, 'cache-control': 'private, no-cache' });
    if (namesTag(request.get('if-none-match'), etag)) {
      response.status(304).end();
      return;
    }
    response.json(q === undefined ? publicItems(locale) : search(q, locale, limit));
  });
  return router;
}

function search(query: string, locale: Locale, limit: number): PublicItems {
  const all = publicItems(locale);
  const byId = new Map(all.items.map((item) => [item.id, item]));
  const items = searchItems(query, locale, limit).flatMap(({ item_id }) => byId.get(item_id) ?? []);
  const cited = new Set(items.flatMap(({ rules }) => rules.map(({ source_id }) => source_id)));
  return { ...all, items, sources: all.sources.filter(({ id }) => cited.has(id)) };
}
