import type { Router } from 'express';
import { opsPage } from '../web/ops-page.ts';
import { bundleOpsScript } from '../web/ops-script.ts';
import { opsStyle } from '../web/ops-style.ts';
import { siteRoutes } from './page-site.ts';

/** The page of operation. What it shows needs a key with the scope `admin`, or a session for one. */
export function opsRoutes(): Router {
  return siteRoutes({ path: '/ops', name: 'ops', script: bundleOpsScript, style: opsStyle, write: opsPage });
}
