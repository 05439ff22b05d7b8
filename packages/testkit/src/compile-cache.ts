import { fileURLToPath } from 'node:url';

/**
 * Environment of processes that run from source: Node keeps there what it has stripped of types and compiled, so that the
 * next process need not. Checked against each file's text.
 */
export const compileCache = {
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../../node_modules/.cache/node-compile', import.meta.url)),
} as const;
