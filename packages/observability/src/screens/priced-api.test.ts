import { expect, test } from '@jest/globals';
import { withoutMark } from './priced-api.ts';

async function* cut(text: string, at: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (const [index, from] of [0, ...at].entries()) yield bytes.subarray(from, at[index]);
  await Promise.resolve();
}

test('a simulated answer has its model’s name, wherever it is cut', async () => {
  const text = 'data: {"model":"simulator/gpt-5","text":"병 simulato"}\n\n';
  const length = new TextEncoder().encode(text).byteLength;
  const cuts = [[], [20], [17, 19, 25], Array.from({ length: length - 1 }, (_, index) => index + 1)];
  for (const at of cuts) {
    let whole = '';
    for await (const piece of withoutMark(cut(text, at))) whole += piece;
    expect(whole).toBe(text.replace('simulator/', ''));
  }
});
