import type { RedisOptions } from 'ioredis';
import * as z from 'zod';

const defaultPorts = { sentinels: 26_379, nodes: 6_379 };

/** A host name or address, and a port. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** How to connect to a cluster. */
export interface ClusterUrl {
  /** Where to ask which node has which keys; never empty. */
  readonly nodes: readonly Place[];
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/**
 * A server (`redis://`, `rediss://` with TLS), what Sentinel watches (`redis+sentinel://`, `rediss+sentinel://`), or a cluster
 * (`redis+cluster://`, `rediss+cluster://`).
 *
 * For Sentinel the host is the name of the primary, `sentinels` lists where to ask for it, and `sentinelPassword` is theirs, if
 * they have one. With TLS the sentinels are spoken to by TLS too, as their password must not cross the network in the clear.
 *
 * For a cluster the host is one node or a name that leads to all of them, and `nodes` lists more of them, to be asked where our
 * keys are. One that lives will do.
 */
export const redisUrlSchema = z
  .url({ protocol: /^rediss?(?:\+(?:sentinel|cluster))?$/ })
  .superRefine((url, context) => {
    const check = { server: () => undefined, sentinel: sentinelProblem, cluster: clusterProblem }[kindOf(url)];
    const problem = check(new URL(url));
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

function kindOf(url: string): 'server' | 'sentinel' | 'cluster' {
  const [, kind] = /^rediss?\+(sentinel|cluster):/.exec(url) ?? [];
  return kind === 'sentinel' || kind === 'cluster' ? kind : 'server';
}

function sentinelProblem({ hostname, searchParams }: URL): string | undefined {
  if (hostname === '')
    return 'must name the primary that the sentinels watch, such as redis+sentinel://mymaster?sentinels=…';
  const unknown = unknownIn(searchParams, ['sentinels', 'sentinelPassword']);
  if (unknown !== undefined) return unknown;
  const places = placesOf(searchParams, 'sentinels');
  if (places.length === 0) return 'must list the sentinels: ?sentinels=<host>:<port>,…';
  return places.every(isPlace) ? undefined : 'lists a sentinel that is no <host>:<port>';
}

function clusterProblem({ hostname, port, pathname, searchParams }: URL): string | undefined {
  if (hostname === '')
    return 'must name a node of the cluster, such as redis+cluster://redis-0:6379?nodes=redis-1:6379,…';
  if (port === '0') return 'names a node at port 0';
  if (pathname !== '' && pathname !== '/') return `must not end in ${pathname}: a cluster has no databases by number`;
  const unknown = unknownIn(searchParams, ['nodes']);
  if (unknown !== undefined) return unknown;
  return placesOf(searchParams, 'nodes').every(isPlace) ? undefined : 'lists a node that is no <host>:<port>';
}

function unknownIn(parameters: URLSearchParams, known: readonly string[]): string | undefined {
  const unknown = [...parameters.keys()].filter((name) => !known.includes(name));
  return unknown.length > 0 ? `has parameters that nothing reads: ${unknown.join(', ')}` : undefined;
}

function isPlace({ host, port }: Place): boolean {
  return host !== '' && Number.isInteger(port) && port > 0 && port < 65_536;
}

function placesOf(parameters: URLSearchParams, name: 'sentinels' | 'nodes'): Place[] {
  return (parameters.get(name) ?? '')
    .split(',')
    .filter((place) => place !== '')
    .map((place) => {
      const [, host = '', port] = /^(.*?)(?::([^:]*))?$/.exec(place) ?? [];
      return { host: bare(host), port: port === undefined ? defaultPorts[name] : Number(port) };
    });
}

/** An IPv6 address stands in brackets in a URL, and nowhere else. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** User and password of a URL, as far as it has them. */
function loginIn({ username, password }: URL): { username?: string; password?: string } {
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

/** How to connect by way of Sentinel; null for any other URL. */
export function sentinelsOf(text: string): RedisOptions | null {
  if (kindOf(text) !== 'sentinel') return null;
  const url = new URL(text);
  const { searchParams, hostname: name } = url;
  const db = Number(url.pathname.slice(1) || 0);
  const sentinelPassword = searchParams.get('sentinelPassword');
  return {
    sentinels: placesOf(searchParams, 'sentinels'),
    name,
    db,
    ...loginIn(url),
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
    ...(text.startsWith('rediss') ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  };
}

/** How to connect to a cluster; null for any other URL. */
export function clusterOf(text: string): ClusterUrl | null {
  if (kindOf(text) !== 'cluster') return null;
  const url = new URL(text);
  const first = { host: bare(url.hostname), port: Number(url.port || defaultPorts.nodes) };
  return { nodes: [first, ...placesOf(url.searchParams, 'nodes')], ...loginIn(url), tls: text.startsWith('rediss') };
}
