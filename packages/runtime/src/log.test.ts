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
