import type { Logger, RecordStore, RequestRecord } from '@bunri/runtime';

/** The replies of a pipeline. @throws the first error among them. */
export async function results(pipeline: ReturnType<RecordStore['redis']['pipeline']>): Promise<unknown[]> {
  return ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

/** One record that cannot be read must not keep the others from being swept; its deadline ends it. */
export async function readable(
  records: RecordStore,
  id: string,
  log: Logger,
): Promise<RequestRecord | null | 'unreadable'> {
  try {
    return await records.get(id);
  } catch (error) {
    log.error('a record cannot be read', { request_id: id, error });
    return 'unreadable';
  }
}
