import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { watchMachine } from './machine-watch.ts';
import { until } from './until.ts';

test('what a process computes is time in which the machine ran', async () => {
  const watch = await watchMachine();
  const looks: { wall: number; ran: number }[] = [];
  // A machine that stands still by itself is looked at again.
  await until(async () => {
    const from = Date.now();
    while (Date.now() < from + 120);
    const to = Date.now();
    looks.push({ wall: to - from, ran: await watch.ranMs(from, to) });
    return looks.at(-1)?.wall === looks.at(-1)?.ran;
  });
  expect(looks.at(-1)?.ran).toBeGreaterThanOrEqual(120);
  expect(looks.every(({ wall, ran }) => ran <= wall && ran >= 0)).toBe(true);
  await watch.stop();
});

test('while all its threads stand still a process does not run, whenever it is asked', async () => {
  const program = `
    import { watchMachine } from ${JSON.stringify(new URL('machine-watch.ts', import.meta.url).href)};
    const watch = await watchMachine();
    const from = Date.now();
    console.log('begun');
    process.stdin.once('data', async () => {
      const to = Date.now();
      console.log(JSON.stringify([to - from, await watch.ranMs(from, to), await watch.ranMs(to - 300, to - 100)]));
      process.exit();
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout);
  expect(await once(lines, 'line')).toEqual(['begun']);
  child.kill('SIGSTOP');
  await delay(600);
  child.stdin.write('how long?\n');
  child.kill('SIGCONT');
  const [line] = (await once(lines, 'line')) as [string];
  const [wall = 0, ran = 0, within] = JSON.parse(line) as number[];
  expect(wall).toBeGreaterThanOrEqual(600);
  expect(ran).toBeLessThanOrEqual(wall - 590);
  expect(within).toBe(0);
});
