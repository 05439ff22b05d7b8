import { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import winston from 'winston';
import { createLogger } from './log.ts';

function capture() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ app: 'test', level: 'info' });
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>);
      done();
    },
  });
  log.clear().add(new winston.transports.Stream({ stream }));
  return { log, lines };
}

test('a line is one JSON object with the bound ids', () => {
  const { log, lines } = capture();
  log.child({ stage: 'vision', request_id: 'req_1' }).info('stage', { duration_ms: 5 });
  expect(lines).toEqual([
    expect.objectContaining({ app: 'test', stage: 'vision', request_id: 'req_1', duration_ms: 5, level: 'info' }),
  ]);
});

test('an error keeps its name, message, code and cause', () => {
  const { log, lines } = capture();
  const error = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'E1' });
  log.error('broken', { error });
  expect(lines[0]?.['error']).toMatchObject({
    name: 'Error',
    message: 'outer',
    code: 'E1',
    cause: { message: 'inner' },
  });
});

test('what JSON cannot hold is written all the same, and never breaks who logs it', () => {
  const { log, lines } = capture();
  const cycle: Record<string, unknown> = { name: 'cycle' };
  cycle['self'] = cycle;
  log.info('odd', { cycle, count: 10n });
  expect(lines).toEqual([expect.objectContaining({ message: 'odd', count: '10', cycle: expect.anything() })]);
});

test('a line tells its time', () => {
  const { log, lines } = capture();
  log.info('now');
  expect(new Date(String(lines[0]?.['timestamp'])).toISOString()).toBe(lines[0]?.['timestamp']);
});
