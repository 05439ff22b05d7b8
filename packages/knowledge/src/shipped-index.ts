import { catalogue } from './catalogue.ts';
import { collectIndex, type CollectedIndex } from './collect-index.ts';

/** The index of the catalogue that ships. In a bundle this module is replaced by one that holds it, already collected. */
export function shippedIndex(): CollectedIndex {
  return collectIndex(catalogue);
}
