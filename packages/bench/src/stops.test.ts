import { expect, test } from '@jest/globals';
import { allStopped, stopAll } from './stops.ts';

test('one that cannot be stopped keeps no other from being stopped, and its error is told', async () => {
  const stopped: string[] = [];
  const stops = [
    () => void stopped.push('first'),
    () => {
      throw new Error('second');
    },
    async () => await Promise.reject(new Error('third')),
    async () => await Promise.resolve(stopped.push('fourth')),
  ];
  await expect(stopAll(stops)).rejects.toThrow('third');
  expect(stopped).toEqual(['fourth', 'first']);
  await expect(allStopped([Promise.reject(new Error('one')), Promise.resolve()])).rejects.toThrow('one');
  await expect(stopAll([])).resolves.toBeUndefined();
});
