'use strict';
// Starts an app from its bundle, with what V8 has compiled of it when the image was built, for less CPU. V8 itself
// leaves that aside where Node or V8's flags are others than at the build; the start is slower then, says so, and nothing else.
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

/** The build writes the name here. */
const app = 'APP';
const path = `${__dirname}/bundle.cjs`;

// Linux gives process 1 of a container no signal that it does not listen to: without this, one that comes before the app
// listens is lost, and the pod runs until it is killed. With it, the signal waits until the bundle is loaded.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => undefined);

// Maps are for modules only.
const run = process.sourceMapsEnabled ? require(path) : compile();
run.call(module.exports, module.exports, require, module, path, __dirname);

function compile() {
  const source = readFileSync(path);
  const kept = readFileSync(`${__dirname}/bundle.cache`);
  const cachedData = kept.subarray(0, -4);
  // V8 looks at the length of the bundle only, and at no byte of what it has compiled.
  if (crc32(cachedData, crc32(source)) !== kept.readUInt32LE(cachedData.length)) {
    throw new Error(`bundle.cache is damaged or not of ${path}: build both again.`);
  }
  const script = new Script(source.toString(), { filename: path, cachedData });
  if (script.cachedDataRejected) tellRejected();
  return script.runInThisContext();
}

/** In the shape of the app's own log lines, for which it is too early. */
function tellRejected() {
  const line = {
    app,
    node: process.version,
    flags: [process.env.NODE_OPTIONS, ...process.execArgv].filter(Boolean).join(' '),
    level: 'info',
    message: 'not started from compiled code: it is for another Node or other flags',
    timestamp: new Date().toISOString(),
  };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}
