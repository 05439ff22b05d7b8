import { expect, test } from '@jest/globals';
import { ConnectionError, type Client, type Resource } from '@bunri/client';
import { runRow, type RowContext } from './one-row.ts';

const id = `req_${'0'.repeat(32)}`;
const row = { row: 1, name: 'https://photos.example/a.jpg', read: undefined, deadlineS: 5 };
const open = { id, status: 'queued', usage: {}, error: null } as unknown as Resource;

/** A row that has been accepted, and of whose end nobody tells in time. */
async function runLate(get: Client['get']) {
  const client: Pick<Client, 'submit' | 'wait' | 'get'> = {
    submit: async () =>
      await Promise.resolve({
        resource: open,
        finished: false,
        replayed: false,
        place: { position: null, estimated_completion: null },
      }),
    wait: async (_id, waiting) =>
      await new Promise((_resolve, reject) => {
        const signal = waiting?.signal;
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    get,
  };
  const context: RowContext = {
    client: client as Client,
    options: { question: undefined, locale: undefined, timeoutS: 5 },
    sending: async (work) => await work(),
    idempotencyKey: 'key',
    signal: new AbortController().signal,
    onEvent: () => undefined,
    graceS: -5,
  };
  return await runRow({ row, photo: { imageUrl: row.name }, key: 'k' }, context);
}

test('a server that is away when a row should have ended ends the run, and is no failure of the row', async () => {
  const away = async () => await Promise.reject(new ConnectionError('away'));
  await expect(runLate(away)).rejects.toMatchObject({ name: 'RunStopped', unavailable: true });
});

test('a row whose end was not told in time is looked up once more', async () => {
  const ended = { ...open, status: 'completed' } as Resource;
  expect(await runLate(async () => await Promise.resolve(ended))).toMatchObject({ status: 'completed' });
  expect(await runLate(async () => await Promise.resolve(open))).toMatchObject({
    status: 'failed',
    error: { code: 'deadline_exceeded' },
  });
});
