// Jest's own runner of tests, for files that Node itself imports. Jest's way is a context of `node:vm` for each file, in
// which every module is transpiled, compiled and evaluated again; here a process does that once, with its compile cache.
// Time-outs, hooks, reports and the watch for unhandled errors stay jest's. Not isolated: state of modules is shared
// between the files of a worker, as are `process` and its globals. What of `jest` would have no effect says so.
import { createRequire, flushCompileCache, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import circus from 'jest-circus/runner';

const globalsUrl = 'jest:globals';
const delegated = ['afterAll', 'afterEach', 'beforeAll', 'beforeEach', 'describe', 'fit', 'it', 'jest', 'test', 'xit'];
const ofModules = [
  'createMockFromModule',
  'deepUnmock',
  'disableAutomock',
  'doMock',
  'dontMock',
  'enableAutomock',
  'isolateModules',
  'isolateModulesAsync',
  'mock',
  'onGenerateMock',
  'requireActual',
  'requireMock',
  'resetModules',
  'setMock',
  'unmock',
  'unstable_mockModule',
  'unstable_unmockModule',
];
const handlersKey = Symbol.for('EVENT_HANDLERS');

/** What `@jest/globals` gives to the file that runs now. */
let current;
const timesImported = new Map();

globalThis[Symbol.for('bunri.jest-globals')] = (name) => current[name];

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@jest/globals'
      ? { url: globalsUrl, format: 'module', shortCircuit: true }
      : next(specifier, context),
  load: (url, context, next) =>
    url === globalsUrl ? { format: 'module', source: globalsSource(), shortCircuit: true } : next(url, context),
});

/** Modules that tests share are imported once, so each function asks for that of the file that runs when it is called. */
function globalsSource() {
  return [
    "const globalOf = globalThis[Symbol.for('bunri.jest-globals')];",
    'const delegate = (name) => new Proxy(() => {}, {',
    '  apply: (_target, _this, args) => globalOf(name)(...args),',
    '  get: (_target, key) => globalOf(name)[key],',
    '});',
    "export const expect = globalOf('expect');",
    ...delegated.map((name) => `export const ${name} = delegate('${name}');`),
  ].join('\n');
}

/** What `jest` offers, but for what would do nothing here. */
function withoutModules(jest) {
  const refuse = (names, why) =>
    names.map((name) => [
      name,
      () => {
        throw new Error(`jest.${name} ${why}`);
      },
    ]);
  return {
    ...jest,
    ...Object.fromEntries([
      ...refuse(ofModules, 'has no effect on modules that Node imports: pass what a test replaces as an argument'),
      ...refuse(['setTimeout'], 'has no effect here: give a test its time-out as its third argument'),
      ...refuse(['retryTimes'], 'would hide what fails at times: there is no such test here'),
    ]),
  };
}

/** Circus keeps the tests and hooks of a file in its module and on the global object: they begin anew with each file. */
function requireAnew(file) {
  delete globalThis[handlersKey];
  for (const key of Object.getOwnPropertySymbols(globalThis)) {
    if (key.description === 'JEST_STATE_SYMBOL') delete globalThis[key];
  }
  // A parent of its own, since a module keeps all that it ever required.
  const require = createRequire(import.meta.url);
  delete require.cache[file];
  return require(file);
}

export default async function runNatively(globalConfig, config, environment, runtime, testPath, sendMessageToJest) {
  if (globalConfig.collectCoverage) {
    const how = 'set NODE_V8_COVERAGE to a folder and NODE_DISABLE_COMPILE_CACHE to 1, and report with c8';
    throw new Error(`jest cannot see what Node imports: ${how}`);
  }
  runtime.requireInternalModule = requireAnew;
  runtime.unstable_shouldLoadAsEsm = () => true;
  runtime.unstable_importModule = async (file) => {
    const globals = runtime.requireModuleOrMock(testPath, '@jest/globals');
    current = { ...globals, jest: withoutModules(globals.jest) };
    const times = timesImported.get(file) ?? 0;
    timesImported.set(file, times + 1);
    const url = pathToFileURL(file);
    if (times > 0) url.search = `run=${times}`;
    await import(url.href);
    // For processes that begin now.
    flushCompileCache();
  };
  const exit = process.exit.bind(process);
  let called;
  process.exit = (code) => {
    called ??= new Error(`a test called process.exit(${code})`);
    throw called;
  };
  try {
    const result = await circus.default(globalConfig, config, environment, runtime, testPath, sendMessageToJest);
    // Who called it may have caught that, and passed.
    if (called && result.numFailingTests === 0) throw called;
    return result;
  } finally {
    process.exit = exit;
  }
}
