import { expect, test } from '@jest/globals';
import { diedOutOfMemory, isOutOfMemory } from './out-of-memory.ts';

const v8 = 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory';

test.each<[string, Error]>([
  ['V8 has no buffer', new RangeError('Array buffer allocation failed')],
  ['WebAssembly has no memory', new RangeError('WebAssembly.Memory(): could not allocate memory')],
  ['WebAssembly cannot grow', new RangeError('WebAssembly.Memory.grow(): Unable to grow instance memory')],
  ['Emscripten gives up', new Error('Aborted(OOM). Build with -sASSERTIONS for more info.')],
  ['the C++ library says so', new Error('std::bad_alloc')],
  ['the system says so', Object.assign(new Error('spawn node'), { code: 'ENOMEM' })],
  ['a cause says so', new Error('the model failed', { cause: new Error('Cannot allocate memory') })],
])('an error is known as a want of memory: %s', (_what, error) => {
  expect(isOutOfMemory(error)).toBe(true);
});

test.each([new Error('no such picture'), new RangeError('Invalid typed array length: -1'), 'ENOMEM', undefined])(
  'another error is not: %s',
  (error) => {
    expect(isOutOfMemory(error)).toBe(false);
  },
);

test.each([
  ['V8 aborts', { code: null, signal: 'SIGABRT', lastWords: v8 }, true],
  ['V8 aborts, and a shell or container tells the code', { code: 134, signal: null, lastWords: v8 }, true],
  ['the kernel kills', { code: null, signal: 'SIGKILL', lastWords: '' }, true],
  ['it aborts for another reason', { code: null, signal: 'SIGABRT', lastWords: 'Assertion failed' }, false],
  ['it exits', { code: 1, signal: null, lastWords: 'Error: no weights' }, false],
  [
    'it ends well, whatever it said before',
    { code: 0, signal: null, lastWords: 'retried after std::bad_alloc' },
    false,
  ],
] as const)('a death is told apart: %s', (_what, end, expected) => {
  expect(diedOutOfMemory(end)).toBe(expected);
});
