import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { until } from '@bunri/testkit';
import { measureSpell, standstillNote, type Spell } from './spell.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process of this program, which has said its first word. */
async function start(program: string) {
  const child = spawn(process.execPath, ['--conditions=@bunri/source', '--input-type=module'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface(child.stdout);
  child.stdin.end(program);
  await once(lines, 'line');
  return { child, pid: child.pid ?? 0, line: async () => ((await once(lines, 'line')) as [string])[0] };
}

const busy = `console.log('busy'); for (;;);`;

test('the CPU of processes and the time are told, and no more CPU than there was time', async () => {
  const { pid } = await start(busy);
  const { result, spell } = await measureSpell([pid, process.pid], async () => await delay(1_500, 'done'));
  expect(result).toBe('done');
  const [one = 0, here = 0] = spell.cpuSeconds;
  expect(spell.wallMs).toBeGreaterThanOrEqual(1_500);
  expect(spell.ranMs).toBeLessThanOrEqual(spell.wallMs);
  expect(one).toBeGreaterThan(here);
});

test('what stands still takes neither time nor CPU, and no process more than all cores give', async () => {
  // The thread that looks stands still with its process; what it looks at goes on, as the time that a machine stood does.
  const { pid } = await start(busy);
  const { child, line } = await start(`
    import { measureSpell } from ${JSON.stringify(new URL('spell.ts', import.meta.url).href)};
    const { spell } = await measureSpell([${pid}], async () => {
      console.log('begun');
      const end = Date.now() + 700;
      while (Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    console.log(JSON.stringify(spell));`);
  child.kill('SIGSTOP');
  await delay(650);
  child.kill('SIGCONT');
  const { wallMs, ranMs, cpuSeconds } = JSON.parse(await line()) as Spell;
  expect(wallMs).toBeGreaterThanOrEqual(650);
  expect(ranMs).toBeLessThanOrEqual(wallMs - 640);
  // Half of that would be more than a core in the time that is left.
  expect(cpuSeconds[0]).toBeLessThan(ranMs / 1000 + 0.3);
});

test('a process that ends keeps what it had used', async () => {
  const { child, pid } = await start(busy);
  const { spell } = await measureSpell([pid], async () => {
    await delay(300);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await delay(100);
  });
  expect(spell.cpuSeconds[0]).toBeGreaterThan(0);
});

test('what fails leaves no thread behind', async () => {
  const threads = () => readdirSync('/proc/self/task').length;
  const before = threads();
  await expect(measureSpell([], async () => await Promise.reject(new Error('no')))).rejects.toThrow('no');
  await until(() => threads() <= before);
});

test('a machine that stood still says so in the notes, for each side, and one that ran does not', () => {
  const ran = { spell: { wallMs: 1_000, ranMs: 1_000, cpuSeconds: [] } };
  const stood = { spell: { ...ran.spell, ranMs: 500 } };
  expect(standstillNote('rates', [{ baseline: ran, bunri: ran }])).toEqual([]);
  expect(
    standstillNote('rates', [
      { baseline: ran, bunri: ran },
      { baseline: ran, bunri: stood },
    ]),
  ).toEqual([
    "The machine stood still for 0 % of the baseline's time and for 25 % of bunri's: rates are of the time in which it ran.",
  ]);
});
