// Writes the collected index of the shipped catalogue to standard output, for the bundles.
import { shippedIndex } from './shipped-index.ts';

process.stdout.write(JSON.stringify(shippedIndex()));
