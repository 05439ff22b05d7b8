import * as z from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { problems } from './openapi-parts.ts';
import { pageQuerySchema } from './routes/page-site.ts';

const text = (type: string) => ({ [type]: { schema: z.string() } });

/** What is told of an operation. */
interface Told {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
}

/** The page for people, with what it loads, and this description. */
export function pagePaths(): ZodOpenApiPathsObject {
  return {
    ...sitePaths('/', {
      page: { operationId: 'getPage', summary: 'The page where people ask about a photo' },
      asset: { operationId: 'getPageAsset', summary: 'A file of the page' },
    }),
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
  };
}

/** A page in the reader's language at `path`, and the files that it loads from below it. */
export function sitePaths(path: string, { page, asset }: { page: Told; asset: Told }): ZodOpenApiPathsObject {
  return {
    [path]: {
      get: {
        ...page,
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
    [`${path.replace(/\/$/, '')}/assets/{name}`]: {
      get: {
        description: 'Its name has the hash of its content: it may be kept for ever.',
        ...asset,
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
