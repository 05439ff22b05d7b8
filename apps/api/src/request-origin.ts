import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a page of another origin made the browser ask. A cookie of ours does not go along then (SameSite=Strict) unless
 * the page shares the site, as another port of the same host does.
 */
export function isFromElsewhere({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // Browsers that do not say so, as over plain HTTP, name the origin with whatever changes something.
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
}

/** Whether a browser took this service for a host of this machine, and not for a name that somebody made point to it. */
export function namesThisMachine({ host }: IncomingHttpHeaders): boolean {
  const url = `http://${host ?? ''}`;
  if (!URL.canParse(url)) return false;
  return /^(?:localhost|[\w-]+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
