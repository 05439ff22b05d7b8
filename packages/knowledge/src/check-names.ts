import type { Catalogue } from './catalogue.ts';
import type { Item } from './schema.ts';

/**
 * Names, aliases and misspellings that belong to several items, up to spacing and case, without standing in
 * `ambiguous.json` for all of them; names in the wrong language; and items whose name is declared ambiguous without them.
 */
export function findNameProblems({ items, ambiguous }: Catalogue): string[] {
  const declared = new Map<string, ReadonlySet<string>>();
  const problems: string[] = [];
  for (const { words, items: ids } of ambiguous) {
    for (const word of [...words.ko, ...words.en]) {
      if (declared.has(key(word))) problems.push(`the word ${word} is declared ambiguous twice`);
      declared.set(key(word), new Set(ids));
    }
  }
  const owners = new Map<string, Set<string>>();
  for (const item of items) {
    for (const name of writtenNames(item)) owners.set(key(name), (owners.get(key(name)) ?? new Set()).add(item.id));
  }
  for (const [name, ids] of owners) {
    const allowed = declared.get(name);
    const foreign = [...ids].filter((id) => allowed !== undefined && !allowed.has(id));
    if (allowed === undefined && ids.size > 1)
      problems.push(`the name ${name} is of several items: ${[...ids].join(', ')}`);
    for (const id of foreign) problems.push(`the name ${name} of ${id} is declared ambiguous, but not for that item`);
  }
  return [...problems, ...items.flatMap(languageProblems)];
}

function languageProblems({ id, names, aliases, misspellings }: Item): string[] {
  const english = [names.en, ...aliases.en, ...(misspellings?.en ?? [])].filter((name) => /[가-힣]/.test(name));
  return [
    ...english.map((name) => `item ${id} has Hangul in the English name ${name}`),
    ...(aliases.ko.length === 0 ? [`item ${id} has no Korean alias`] : []),
    ...(aliases.en.length === 0 ? [`item ${id} has no English alias`] : []),
  ];
}

function writtenNames({ names, aliases, misspellings }: Item): string[] {
  const wrong = misspellings ?? { ko: [], en: [] };
  return [names.ko, names.en, ...aliases.ko, ...aliases.en, ...wrong.ko, ...wrong.en];
}

/** Spacing and case do not make another name. */
function key(name: string): string {
  return name.normalize('NFC').toLowerCase().replaceAll(/\s/g, '');
}
