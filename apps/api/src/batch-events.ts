import { toBatch, type BatchStore } from '@bunri/batches';
import type { EventSource } from '@bunri/webhooks';

/** Batches that have come to rest, told as `GET /v1/batches/{id}` shows them. */
export function batchEvents(batches: Pick<BatchStore, 'get'>): EventSource {
  return {
    async addressee(id) {
      const state = await batches.get(id);
      const url = state?.deletion ? undefined : state?.spec.webhookUrl;
      return state && url !== undefined ? { owner: state.spec.owner, url } : null;
    },
    async read(id) {
      const state = await batches.get(id);
      if (!state || state.deletion) return null;
      const { status, rests } = state;
      // One that goes on will be told of when it comes to rest again.
      const goesOn = status === 'validating' || status === 'queued' || status === 'running';
      return { seq: goesOn ? rests + 1 : rests, data: toBatch(state) };
    },
  };
}
