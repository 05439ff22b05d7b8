import * as z from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { problems } from './openapi-parts.ts';
import { pageQuerySchema } from './routes/page-site.ts';

/** The page for people, and the files that it loads. */
export function pagePaths(): ZodOpenApiPathsObject {
  const text = (type: string) => ({ [type]: { schema: z.string() } });
  return {
    '/': {
      get: {
        operationId: 'getPage',
        summary: 'The page where people ask about a photo',
        tags: ['operation'],
        security: [],
        requestParams: { query: pageQuerySchema },
        responses: {
          200: { description: 'The page, in the reader’s language.', content: text('text/html') },
          304: { description: 'The page that `If-None-Match` names is the current one.' },
          ...problems('invalid_request'),
        },
      },
    },
    '/docs': {
      get: {
        operationId: 'getDocs',
        summary: 'This description as a page for people',
        tags: ['operation'],
        security: [],
        responses: {
          200: { description: 'A page that needs no script.', content: text('text/html') },
          304: { description: 'The page that `If-None-Match` names is the current one.' },
        },
      },
    },
    '/assets/{name}': {
      get: {
        operationId: 'getPageAsset',
        summary: 'A file of the page',
        description: 'Its name has the hash of its content: it may be kept for ever.',
        tags: ['operation'],
        security: [],
        requestParams: { path: z.object({ name: z.string() }) },
        responses: {
          200: {
            description: 'The file.',
            content: { ...text('text/javascript'), ...text('text/css'), ...text('image/svg+xml') },
          },
          304: { description: 'The file that `If-None-Match` names.' },
          ...problems('not_found'),
        },
      },
    },
  };
}
