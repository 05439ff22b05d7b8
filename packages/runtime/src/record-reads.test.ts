import { expect, test } from '@jest/globals';
import { eventSchema } from '@bunri/queue-contracts';
import { parseEventMessage } from './record-reads.ts';

test('a message is read as an event of the contract, whatever its data says', () => {
  const data = { offset: 0, text: '뚜껑을 열고 "헹굼" {1 2 3}' };
  const event = parseEventMessage(`7 answer.delta 1732000000000 ${JSON.stringify(data)}`);
  expect(event).toEqual({ seq: 7, type: 'answer.delta', at: 1_732_000_000_000, data });
  expect(eventSchema.parse(event)).toEqual(event);
  expect(parseEventMessage('1 accepted 1732000000000 {}').data).toEqual({});
});

test.each([
  ['', 'nothing'],
  ['x accepted 1 {}', 'no seq'],
  ['0 accepted 1 {}', 'a seq that no event has'],
  ['1.5 accepted 1 {}', 'half a seq'],
  ['1 accepted soon {}', 'no time'],
  ['1 accepted  {}', 'an empty time'],
  ['1 accepted 1', 'no data'],
  ['1 accepted 1 []', 'a list'],
  ['1 accepted 1 null', 'null'],
  ['1 accepted 1 {"cut', 'half a message'],
])('%j is no event: %s', (message) => {
  expect(() => parseEventMessage(message)).toThrow(/not an event|JSON/);
});
