import type { RedisOptions } from 'ioredis';
import * as z from 'zod';

const sentinelPort = 26_379;

/**
 * A server (`redis://`, `rediss://` with TLS), or what Sentinel watches (`redis+sentinel://`, `rediss+sentinel://`): then the
 * host is the name of the primary, `sentinels` lists where to ask for it, and `sentinelPassword` is theirs, if they have one.
 * With TLS the sentinels are spoken to by TLS too, as their password must not cross the network in the clear.
 */
export const redisUrlSchema = z.url({ protocol: /^rediss?(?:\+sentinel)?$/ }).superRefine((url, context) => {
  const problem = isSentinel(url) ? sentinelProblem(new URL(url)) : undefined;
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

function isSentinel(url: string): boolean {
  return /^rediss?\+sentinel:/.test(url);
}

function sentinelProblem({ hostname, searchParams }: URL): string | undefined {
  if (hostname === '')
    return 'must name the primary that the sentinels watch, such as redis+sentinel://mymaster?sentinels=…';
  const unknown = [...searchParams.keys()].filter((name) => name !== 'sentinels' && name !== 'sentinelPassword');
  if (unknown.length > 0) return `has parameters that nothing reads: ${unknown.join(', ')}`;
  const places = placesOf(searchParams);
  if (places.length === 0) return 'must list the sentinels: ?sentinels=<host>:<port>,…';
  return places.every(({ host, port }) => host !== '' && Number.isInteger(port) && port > 0 && port < 65_536)
    ? undefined
    : 'lists a sentinel that is no <host>:<port>';
}

function placesOf(parameters: URLSearchParams): { host: string; port: number }[] {
  return (parameters.get('sentinels') ?? '')
    .split(',')
    .filter((place) => place !== '')
    .map((place) => {
      const [, host = '', port] = /^(.*?)(?::([^:]*))?$/.exec(place) ?? [];
      return { host, port: port === undefined ? sentinelPort : Number(port) };
    });
}

/** How to connect by way of Sentinel; null for the URL of a server. */
export function sentinelsOf(text: string): RedisOptions | null {
  if (!isSentinel(text)) return null;
  const url = new URL(text);
  const { searchParams, hostname: name, username, password } = url;
  const db = Number(url.pathname.slice(1) || 0);
  const sentinelPassword = searchParams.get('sentinelPassword');
  return {
    sentinels: placesOf(searchParams),
    name,
    db,
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
    ...(text.startsWith('rediss') ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  };
}
