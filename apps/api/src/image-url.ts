import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Problem } from './problem.ts';

/** Names that mean this machine or this network wherever they are looked up. */
const localSuffixes = ['localhost', 'local', 'internal', 'intranet', 'lan', 'home.arpa'];

/**
 * The first of two guards against requests into our own network: what can be told from the URL alone. The second is at
 * the fetch, where every address that a name resolves to is checked and pinned.
 *
 * @returns the URL as it is to be fetched.
 * @throws Problem `image_url_forbidden`
 */
export function checkImageUrl(text: string, { allowHttp }: { allowHttp: boolean }): string {
  const url = URL.parse(text);
  if (!url) throw forbidden('it is not a URL');
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) throw forbidden('it is not https');
  if (url.username !== '' || url.password !== '') throw forbidden('it holds a user name or a password');
  // The URL parser removes the scheme's own port.
  if (url.port !== '' && url.port !== '443' && url.port !== '80') throw forbidden('its port is neither 443 nor 80');
  if (!isPublicHost(url.hostname)) throw forbidden('its host is not on the public internet');
  url.hash = '';
  return url.href;
}

/** The URL parser has already turned decimal, octal, hexadecimal and full-width forms into plain IPv4. */
function isPublicHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(host) !== 0) return isPublicAddress(host);
  const isLocal = localSuffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
  return host.includes('.') && !isLocal;
}

function isPublicAddress(text: string): boolean {
  const address = ipaddr.parse(text);
  // 2000::/3 is all that is routed publicly (RFC 4291, IANA). ipaddr.js calls ::127.0.0.1 and other leftovers unicast.
  const isRouted = address.kind() === 'ipv4' || address.match(ipaddr.parseCIDR('2000::/3'));
  return isRouted && address.range() === 'unicast';
}

function forbidden(reason: string): Problem {
  return new Problem(
    'image_url_forbidden',
    `The image_url is refused because ${reason}. Send an https URL of a public host, or upload the photo.`,
  );
}
