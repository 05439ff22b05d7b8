import { createPublicClient, ForbiddenUrlError, type OutboundPolicy } from '@bunri/runtime/public-fetch';
import { Problem } from './problem.ts';

/**
 * The first of two guards against requests into our own network: what can be told from the URL alone. The second is at
 * the fetch, where every address that a name resolves to is checked and pinned.
 *
 * @returns the URL as it is to be fetched.
 * @throws Problem `image_url_forbidden`
 */
export function checkImageUrl(text: string, { allowHttp }: { allowHttp: boolean }): string {
  return check(text, { allowHttp }, (reason) => {
    const advice = 'Send an https URL of a public host, or upload the photo.';
    return new Problem('image_url_forbidden', `The image_url is refused because ${reason}. ${advice}`);
  });
}

/** The same for who is to be told of the end; null where nobody is told by this installation. @throws Problem `webhook_url_forbidden` */
export function checkWebhookUrl(text: string, policy: OutboundPolicy | null): string {
  if (policy === null) {
    throw new Problem('webhook_url_forbidden', 'This installation sends no webhooks. Leave out webhook_url.');
  }
  return check(text, policy, (reason) => {
    const advice = 'Send an https URL of a public host.';
    return new Problem('webhook_url_forbidden', `The webhook_url is refused because ${reason}. ${advice}`);
  });
}

function check(text: string, policy: OutboundPolicy, refuse: (reason: string) => Problem): string {
  const client = createPublicClient(policy);
  try {
    return client.check(text).href;
  } catch (error) {
    throw error instanceof ForbiddenUrlError ? refuse(error.message) : error;
  } finally {
    client.close();
  }
}
