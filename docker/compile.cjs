'use strict';
// Runs the bundle that it is given until its parent says that this is enough, and writes what V8 has compiled by then beside
// it, for main.cjs: so that a start finds each function that it needs, and takes no memory for others.
const { readFileSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const paths = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

// V8 forgets what has not run for a while.
setFlagsFromString('--no-flush-bytecode');
const path = process.argv[2];
const source = readFileSync(path);
const script = new Script(source.toString(), { filename: path });

process.once('message', () => {
  // Flags are part of what V8 compares.
  setFlagsFromString('--flush-bytecode');
  const compiled = script.createCachedData();
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(compiled, crc32(source)));
  writeFileSync(path.replace(/\.cjs$/, '.cache'), Buffer.concat([compiled, checksum]));
  process.exit(0);
});

const own = { exports: {} };
script.runInThisContext().call(own.exports, own.exports, createRequire(path), own, path, paths.dirname(path));
