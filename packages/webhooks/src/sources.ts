import { toResource, type RecordStore } from '@bunri/runtime';
import type { EventSource } from './events.ts';

/** Requests, told as `GET /v1/classifications/{id}` shows them. */
export function classificationEvents(records: Pick<RecordStore, 'get'>): EventSource {
  return {
    async addressee(id) {
      const record = await records.get(id);
      const url = record?.request.webhookUrl;
      return record && url !== undefined ? { owner: record.request.owner, url } : null;
    },
    async read(id) {
      const record = await records.get(id);
      return record && { seq: record.lastSeq, data: toResource(record), trace: record.request.trace };
    },
  };
}

/** An event that an owner asked for, to see whether it arrives. */
export const testEvents: EventSource = {
  addressee: async () => await Promise.resolve(null),
  read: async (subject) =>
    await Promise.resolve({ seq: 1, data: { id: subject, message: 'A test of your endpoint.' } }),
};
