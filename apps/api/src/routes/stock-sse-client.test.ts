import { EventSource } from 'eventsource';
import { expect, test } from '@jest/globals';
import { eventTypes } from '@bunri/queue-contracts';
import { drawSamplePhoto, startTcpProxy, until } from '@bunri/testkit';
import { sampleOutputs } from '../sample-outputs.ts';
import { form, startTestApi } from '../test-api.ts';
import { bearer } from '../test-keys.ts';

const path = '/v1/classifications';

test('a stock SSE client whose connection breaks again and again hears every event once, in order, and then stops', async () => {
  const api = await startTestApi();
  const proxy = await startTcpProxy({ targetPort: Number(new URL(api.url).port) });
  const sent = await api.fetch(path, { method: 'POST', body: form(await drawSamplePhoto()) });
  const { id } = (await sent.json()) as { id: string };
  const asked: (string | null)[] = [];
  const client = new EventSource(`http://127.0.0.1:${proxy.port}${path}/${id}/events`, {
    fetch: async (url, init) => {
      const headers = new Headers({ ...init.headers, ...bearer('ann') });
      asked.push(headers.get('last-event-id'));
      return await fetch(url, { ...init, headers });
    },
  });
  try {
    const heard: number[] = [];
    const over = Promise.withResolvers<void>();
    for (const type of eventTypes) {
      client.addEventListener(type, ({ lastEventId }) => {
        heard.push(Number(lastEventId));
        if (type === 'completed') over.resolve();
      });
    }
    await until(() => heard.length > 0);
    const outputs = sampleOutputs();
    for (const stage of ['preprocess', 'vision', 'rag', 'llm'] as const) {
      // Cut while nothing is told, and events are written meanwhile.
      await proxy.setMode('refuse');
      const run = { id, stage, token: `run-${stage}` };
      await api.records.start(run);
      await api.records.finish(run, { output: outputs[stage], durationMs: 1, cached: false });
      await proxy.setMode('pass');
    }
    await over.promise;
    expect(heard).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
    // Each new connection named the last event that was heard.
    expect(asked.length).toBeGreaterThan(1);
    expect(asked[0]).toBeNull();
    expect(asked.slice(1).every((last) => Number(last) >= 1)).toBe(true);
    // It comes once more, and is told by a 204 that there is nothing left.
    await until(() => client.readyState === EventSource.CLOSED);
    expect(heard).toHaveLength(10);
  } finally {
    client.close();
    await proxy.stop();
    await api.close();
  }
});
