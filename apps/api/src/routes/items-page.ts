import { Router } from 'express';
import * as z from 'zod';
import { locales, wasteCategories } from '@bunri/queue-contracts';
import { sha256 } from '@bunri/runtime';
import { namesTag } from '../entity-tag.ts';
import { parseInput } from '../problem.ts';
import { itemsPage, itemsPolicy, type ItemsQuery } from '../web/items-page.ts';

/** Other parameters are passed over, as links get them from elsewhere. */
export const itemsPageQuerySchema = z.object({
  q: z.string().trim().max(200).default('').meta({ description: 'Words of an item’s name.' }),
  category: z
    .enum(['', ...wasteCategories])
    .default('')
    .meta({ description: 'Only items of this bin.' }),
  item: z.string().max(100).default('').meta({ description: 'This item alone, by its id.' }),
  lang: z.enum(locales).optional().meta({ description: 'Default: what `Accept-Language` prefers.' }),
});

interface WrittenPage {
  readonly body: Buffer;
  readonly etag: string;
  readonly found: boolean;
}

/** The catalogue as a page for people. The rules are public, so that it needs no key. */
export function itemsPageRoutes(): Router {
  const pageOf = createPageWriter();
  const router = Router();
  router.get('/items', (request, response) => {
    const { lang, ...query } = parseInput(itemsPageQuerySchema, request.query);
    const preferred = request.acceptsLanguages(...locales);
    const locale = lang ?? locales.find((one) => one === preferred) ?? 'ko';
    const { body, etag, found } = pageOf({ ...query, lang: locale });
    response.set({
      'content-security-policy': itemsPolicy,
      'cache-control': 'public, max-age=300',
      vary: 'accept-language',
      etag,
    });
    if (found && namesTag(request.get('if-none-match'), etag)) {
      response.status(304).end();
      return;
    }
    response
      .status(found ? 200 : 404)
      .type('html')
      .send(body);
  });
  return router;
}

/**
 * Nobody needs a key for the page, and a bin with all its rules is 400 kB that take 20 ms to write. So the pages of the bins
 * and of all of them, one a language, are written once; what is searched for, or a single item, is small.
 */
function createPageWriter(): (query: ItemsQuery) => WrittenPage {
  const kept = new Map<string, WrittenPage>();
  return (query) => {
    const { q, item, category, lang } = query;
    if (q !== '' || item !== '') return writePage(query);
    const key = `${lang} ${category}`;
    const page = kept.get(key) ?? writePage(query);
    kept.set(key, page);
    return page;
  };
}

function writePage(query: ItemsQuery): WrittenPage {
  const { html, found } = itemsPage(query);
  const body = Buffer.from(html);
  return { body, etag: `"${sha256(body).slice(0, 32)}"`, found };
}
