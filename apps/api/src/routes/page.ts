import type { Router } from 'express';
import { pageShell } from '../web/page-shell.ts';
import { bundlePageScript } from '../web/page-script.ts';
import { pageStyle } from '../web/page-style.ts';
import { siteRoutes } from './page-site.ts';

/** The page for people. */
export function pageRoutes(): Router {
  return siteRoutes({ path: '/', name: 'page', script: bundlePageScript, style: pageStyle, write: pageShell });
}
