import { Resolver } from 'node:dns/promises';
import { Agent as HttpAgent, request as requestHttp, type ClientRequest, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import ipaddr from 'ipaddr.js';

/** All addresses of a name, IPv4 and IPv6. */
export type ResolveName = (hostname: string) => Promise<readonly string[]>;

/** What a URL that a client gave us may lead to. */
export interface OutboundPolicy {
  /** Without it only https. */
  readonly allowHttp: boolean;
  /** Default: 80 and 443. */
  readonly ports?: readonly number[] | 'any';
  /** Addresses and CIDR ranges that may be reached although they are not public. */
  readonly allowAddresses?: readonly string[];
  /** Default: the name servers of the system, not its hosts file. */
  readonly resolve?: ResolveName;
}

/** The policy does not let the URL be asked. The message says why, and nothing of the network behind it. */
export class ForbiddenUrlError extends Error {
  override readonly name = 'ForbiddenUrlError';
}

export interface PublicRequestOptions {
  readonly method: 'GET' | 'POST';
  readonly headers: OutgoingHttpHeaders;
  readonly signal: AbortSignal;
}

/** Asks URLs of clients without being their way into our network. */
export interface PublicClient {
  /** @param base where a redirect came from. @throws ForbiddenUrlError for what can be told from the URL alone. */
  check(text: string, base?: URL): URL;
  /**
   * A request that has not been ended. It follows no redirect, and ends with `response` or `error`. Its `error` is a
   * ForbiddenUrlError where the host has an address that must not be reached. @throws ForbiddenUrlError as `check` does.
   */
  request(url: URL, options: PublicRequestOptions): ClientRequest;
  /** Closes what is kept alive. */
  close(): void;
}

const webPorts = [80, 443];
/** Names that mean this machine or this network wherever they are looked up. */
const localSuffixes = ['localhost', 'local', 'internal', 'intranet', 'lan', 'home.arpa'];
/** Azure's platform, secrets of the virtual machine included, answers each machine at this one, which looks public. */
const platformAddresses = new Set(['168.63.129.16']);
const idleSocketMs = 15_000;
const maxIdleSockets = 8;

/**
 * The guard follows OWASP's Server-Side Request Forgery Prevention: only http and https, only some ports, no credentials,
 * and no address but public unicast ones. A name is looked up once a connection; if one of its addresses is not public, it
 * is refused, else the connection goes to the very addresses that were checked. So a name that changes its answer between
 * the check and the connection (DNS rebinding) gains nothing. A connection that is kept alive stays where it was checked.
 */
export function createPublicClient(policy: OutboundPolicy & { readonly keepAlive?: boolean }): PublicClient {
  const { keepAlive = false } = policy;
  const allowed = toBlockList(policy.allowAddresses ?? []);
  const lookup = checkedLookup(policy.resolve ?? createResolver(), allowed);
  const agentOptions = { keepAlive, lookup, maxFreeSockets: maxIdleSockets, timeout: idleSocketMs };
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);
  const check = (text: string, base?: URL) => checkUrl(text, policy, allowed, base);
  return {
    check,
    request(given, options) {
      const url = check(given.href);
      return neverSilent(
        url.protocol === 'https:'
          ? requestHttps(url, { ...options, agent: httpsAgent })
          : requestHttp(url, { ...options, agent: httpAgent }),
      );
    },
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

/** Whether an IP address is routed on the public internet and names one host. Forms that hold an IPv4 address are not. */
export function isPublicAddress(text: string): boolean {
  if (isIP(text) === 0) return false;
  const address = ipaddr.parse(text);
  // 2000::/3 is all that is routed publicly (RFC 4291, IANA).
  const isRouted = address.kind() === 'ipv4' || address.match(ipaddr.parseCIDR('2000::/3'));
  return isRouted && address.range() === 'unicast' && !platformAddresses.has(address.toString());
}

/** A server that changes the protocol unasked (101) makes Node close the request with neither an answer nor an error. */
function neverSilent(sent: ClientRequest): ClientRequest {
  let isHeard = false;
  const hear = () => {
    isHeard = true;
  };
  sent.once('response', hear).once('error', hear);
  return sent.once('close', () => {
    if (!isHeard) sent.emit('error', new Error('the connection was closed without an answer'));
  });
}

function checkUrl(text: string, policy: OutboundPolicy, allowed: BlockList, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url === null) throw new ForbiddenUrlError('it is not a URL');
  const { protocol } = url;
  if (protocol !== 'https:' && protocol !== 'http:') throw new ForbiddenUrlError('it is not https');
  if (protocol === 'http:' && !policy.allowHttp) throw new ForbiddenUrlError('it is not https');
  if (url.username !== '' || url.password !== '') {
    throw new ForbiddenUrlError('it holds a user name or a password');
  }
  const { ports = webPorts } = policy;
  const port = Number(url.port || (protocol === 'https:' ? 443 : 80));
  if (ports !== 'any' && !ports.includes(port)) throw new ForbiddenUrlError('its port is not allowed');
  if (!mayBePublic(url.hostname, allowed)) throw new ForbiddenUrlError('its host is not on the public internet');
  url.hash = '';
  return url;
}

/** The URL parser has turned decimal, octal, hexadecimal and full-width forms into plain IPv4 already, and refuses zones. */
function mayBePublic(hostname: string, allowed: BlockList): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(host) !== 0) return mayReach(host, allowed);
  const isLocal = localSuffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
  return host.includes('.') && !host.includes('..') && !host.endsWith('.') && !isLocal;
}

function mayReach(address: string, allowed: BlockList): boolean {
  return isPublicAddress(address) || allowed.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** The addresses that a connection may go to; Node asks for them when it opens one, and asks nobody else. */
function checkedLookup(resolve: ResolveName, allowed: BlockList): LookupFunction {
  const lookUp = callbackify(async (hostname: string) => {
    const addresses = await resolve(hostname);
    if (addresses.length > 0 && addresses.every((address) => mayReach(address, allowed))) return addresses;
    throw new ForbiddenUrlError('its host is not on the public internet');
  });
  return (hostname, { all = false }, callback) => {
    lookUp(hostname, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const found = addresses.map((address) => ({ address, family: isIP(address) }));
      const [first] = found;
      return all ? callback(null, found) : callback(null, first?.address ?? '', first?.family);
    });
  };
}

/**
 * Asks the name servers by itself: the system's own look-up takes one of four threads, which files and everything else of
 * the process need too, for as long as a client's name server likes.
 */
function createResolver(): ResolveName {
  let resolver: Resolver | undefined;
  return async (hostname) => {
    resolver ??= new Resolver({ timeout: 3_000, tries: 2 });
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const [failed] = answers.filter((answer) => answer.status === 'rejected');
    if (addresses.length === 0 && failed) throw failed.reason;
    return addresses;
  };
}

function toBlockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
