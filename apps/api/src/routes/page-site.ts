import { Router, type Request } from 'express';
import * as z from 'zod';
import { locales, type Locale } from '@bunri/queue-contracts';
import { sha256 } from '@bunri/runtime';
import { parseInput, Problem } from '../problem.ts';
import { once, packFile, sendFile, type PackedFile } from '../web/packed-file.ts';
import type { PageAssets } from '../web/page-parts.ts';
import { pageIcon, pagePolicy } from '../web/page-shell.ts';

/** Other parameters are passed over, as links get them from elsewhere. */
export const pageQuerySchema = z.object({
  lang: z
    .enum(locales)
    .optional()
    .meta({ description: 'Default: what was chosen last, else what `Accept-Language` prefers.' }),
});

/** A page that is a script's, in both languages. */
export interface SitePlan {
  /** Its path; its files are in `assets` below it. */
  readonly path: '/' | `/${string}`;
  /** Of its script and style. */
  readonly name: string;
  readonly script: () => Promise<string>;
  readonly style: string;
  readonly write: (lang: Locale, assets: PageAssets) => string;
}

interface Site {
  readonly pages: Readonly<Record<Locale, PackedFile>>;
  /** By their paths. */
  readonly assets: ReadonlyMap<string, PackedFile>;
}

/** Sends the page and its files. They hold nothing of anybody, so that they need no key: what they ask the API for does. */
export function siteRoutes(plan: SitePlan): Router {
  const router = Router();
  // A process that only serves the API needs none of it.
  const readSite = once(async () => await writeSite(plan));

  router.get(plan.path, async (request, response) => {
    const { lang } = parseInput(pageQuerySchema, request.query);
    const { pages } = await readSite();
    response.set({ 'content-security-policy': pagePolicy, 'cache-control': 'no-cache' });
    response.vary('Accept-Language').vary('Cookie');
    sendFile(request, response, pages[lang ?? languageOf(request)]);
  });

  router.get(`${assetsOf(plan)}:name`, async (request, response) => {
    const { assets } = await readSite();
    const asset = assets.get(request.path);
    // An older page's assets are gone with their release; the page itself is never kept without asking.
    if (!asset) throw new Problem('not_found', 'There is no such file. Load the page again.');
    response.set('cache-control', 'public, max-age=31536000, immutable');
    sendFile(request, response, asset);
  });
  return router;
}

function assetsOf({ path }: SitePlan): string {
  return path === '/' ? '/assets/' : `${path}/assets/`;
}

/** The language of a page that says nothing of it in its address. */
function languageOf(request: Request): Locale {
  return chosenBefore(request) ?? preferred(request);
}

function chosenBefore(request: Request): Locale | undefined {
  const [, lang] = /(?:^|;\s*)bunri-lang=(\w+)/.exec(request.get('cookie') ?? '') ?? [];
  return locales.find((locale) => locale === lang);
}

function preferred(request: Request): Locale {
  const accepted = request.acceptsLanguages(...locales);
  return locales.find((locale) => locale === accepted) ?? 'ko';
}

async function writeSite(plan: SitePlan): Promise<Site> {
  const { name, script, style, write } = plan;
  const assets = new Map<string, PackedFile>();
  /** Its name has the hash of its content, so that it may be kept for ever. */
  const add = async (file: string, type: string, text: string) => {
    const path = `${assetsOf(plan)}${file}-${sha256(text).slice(0, 16)}.${type}`;
    assets.set(path, await packFile(type, text));
    return path;
  };
  const paths = {
    script: await add(name, 'js', await script()),
    style: await add(name, 'css', style),
    icon: await add('icon', 'svg', pageIcon),
  };
  const page = async (lang: Locale) => await packFile('html', write(lang, paths));
  return { pages: { ko: await page('ko'), en: await page('en') }, assets };
}
