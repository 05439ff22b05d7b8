import { englishRole, preferContents } from './english-roles.ts';
import { demoteEarlier, isPlaceAtEnd, koreanRole } from './korean-roles.ts';
import type { Mention } from './mentions.ts';
import { isHangul, type Role, type RoleWords } from './role.ts';
import type { Run } from './runs.ts';
import type { Phrasing, WordLists } from './schema.ts';
import { compact, nounForms } from './words.ts';

/**
 * Says what each name does: the thing itself; what is said of it (철사니까); what describes another name that follows it in
 * Korean or stands before it in English (거울 달린 쿠션, "box with tape"), or belongs to what is told before (치킨
 * 먹었는데); a part of it (라벨 떼야 하나요); what something is done with (청소기로); what it is put with (신문지랑 같이), or was around a
 * thing without a name (과일 씌워져있던 거); or
 * where it may go (종이?).
 */
export type RoleReader = (runs: readonly Run[], mentions: readonly Mention[]) => Role[];

export function makeRoleReader(phrasing: Phrasing): RoleReader {
  const words = roleWords(phrasing);
  return (runs, mentions) => {
    const first: Role[] = [];
    for (const [at, mention] of mentions.entries()) {
      const place = { runs, mentions, given: first, at };
      first.push(isHangul(mention) ? koreanRole(words, place, mention) : englishRole(words, place, mention));
    }
    const given = preferContents(runs, mentions, demoteEarlier(words, runs, mentions, first));
    return given.map((role, at) => (isPlaceAtEnd(words, { runs, mentions, given, at }) ? 'place' : role));
  };
}

function roleWords({ links, residues, kinds, substances, streams, materials }: Phrasing): RoleWords {
  const keysOf = (...lists: WordLists[]) => new Set(lists.flatMap(({ ko, en }) => [...ko, ...en]).map(compact));
  return {
    streams: keysOf(streams, materials),
    residues: keysOf(residues),
    said: keysOf(kinds, ...substances.map(({ words }) => words)),
    linkKo: new Set(links.ko),
    linkEn: new Set(links.en),
  };
}

/** Forms of the words of a text, without places and without these mentions, that may say more about its thing. */
export function wordsBeside(runs: readonly Run[], left: readonly Mention[]): Set<string> {
  return new Set(
    runs.flatMap(({ kind, text, isPlace, isIdle }, at) => {
      if (kind === 'mark' || isPlace || isIdle || left.some(({ from, to }) => from <= at && at <= to)) return [];
      return kind === 'hangul' ? nounForms(text) : [text];
    }),
  );
}
