import { Router } from 'express';
import { docsPage, docsPolicy, type ApiDescription } from '../web/docs-page.ts';
import { once, packFile, sendFile } from '../web/packed-file.ts';

/** The API's description as a page for people. It needs no key. */
export function docsRoutes({ readDocument }: { readDocument: () => object }): Router {
  const router = Router();
  const readPage = once(async () => {
    // As clients get it: what is undefined is gone.
    const description = JSON.parse(JSON.stringify(readDocument())) as ApiDescription;
    return await packFile('html', docsPage(description));
  });
  router.get('/docs', async (request, response) => {
    response.set({ 'content-security-policy': docsPolicy, 'cache-control': 'no-cache' });
    sendFile(request, response, await readPage());
  });
  return router;
}
