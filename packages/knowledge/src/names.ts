import type { NameOwner } from './collect-index.ts';

/** An item that a name stands for. */
export type Named = Omit<NameOwner, 'names'>;

/** The names of all items, to be found by their spelling alone. */
export interface NameBook {
  readonly asWritten: ReadonlyMap<string, readonly Named[]>;
  readonly byStems: ReadonlyMap<string, readonly Named[]>;
  /** Letters of the longest name. */
  readonly longest: number;
}

/** What a name stands for: as it is written (glasses are no glass), else by its stems. */
export function lookUp({ asWritten, byStems }: NameBook, written: string, stems: string): readonly Named[] {
  return asWritten.get(written) ?? byStems.get(stems) ?? [];
}
