// Loaded into a measured process before its own code: collects its garbage when it is told to, and says so.
process.on('SIGUSR2', () => {
  if (!globalThis.gc) throw new Error('this needs --expose-gc');
  globalThis.gc();
  process.stdout.write('garbage collected\n');
});
