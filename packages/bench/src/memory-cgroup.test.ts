import { expect, test } from '@jest/globals';
import { parseKills } from './memory-cgroup.ts';

test('kills at the limit are read from either version of control groups', () => {
  expect(parseKills('oom_kill_disable 0\nunder_oom 0\noom_kill 2\n')).toBe(2);
  expect(parseKills('low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n')).toBe(1);
  expect(() => parseKills('low 0\n')).toThrow('does not tell');
});
