import type { Request } from '@bunri/queue-contracts';
import { inSpanOrTrace } from './tracing.ts';

/**
 * Accepts a request in a span that all of its stages belong to, whenever and wherever they run: what is accepted carries
 * that span's traceparent. A request that was made from another one still carries that one's, and is linked to it.
 */
export async function traceAcceptance<T>(received: Request, accept: (request: Request) => Promise<T>): Promise<T> {
  const { trace: origin, ...own } = received;
  const plan = () => ({
    name: 'accept classification',
    kind: 'producer' as const,
    attributes: { 'messaging.system': 'bullmq', 'bunri.request_id': own.id, 'bunri.priority': own.priority },
    linkedTo: origin,
  });
  return await inSpanOrTrace(plan, async (span) => {
    const trace = span?.traceparent;
    if (trace === undefined && origin === undefined) return await accept(received);
    return await accept(trace === undefined ? own : { ...own, trace });
  });
}
