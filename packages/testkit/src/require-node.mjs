// Loaded with `node --import` before a TypeScript main file. It is plain JavaScript because a Node that is too old
// cannot read TypeScript at all, and would say no more than "Unknown file extension".
if (!process.features.typescript) {
  process.stderr.write(
    `Node 22.18 or newer is needed to run TypeScript sources; this is ${process.version} (${process.execPath}).\n` +
      'On Linux "npm run bootstrap" installs one for the npm scripts; elsewhere upgrade Node.\n',
  );
  process.exit(1);
}
