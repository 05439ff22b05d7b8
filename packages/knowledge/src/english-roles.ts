import type { Mention } from './mentions.ts';
import { isHandled, isHangul, type Place, type Role, type RoleWords } from './role.ts';
import type { Run } from './runs.ts';

/** "a jar that had jam in it", "the net that held onions". */
const relative = /^(?:that|which)$/;
const held = /^(?:had|has|have|held|holds|contained|contains|came|stored|once)$/;
/** "a bag of leaves", "a box of magazines": what holds so many of the thing, and is not it. */
const heaps = new Set(['bag', 'box', 'sack', 'bucket', 'bin', 'boxe', 'basket', 'bowl', 'plate']);
const holders = new Set(['bottle', 'can', 'jar', 'tub', 'tin', 'tube', 'container', 'pack', 'packet', 'carton', 'jug']);
const left = /^(?:half|left|leftover|remaining|remain|remains|unused|expired|full|unopened|quarter|third|some)$/;
const turns = new Set(['and', 'but', 'so', 'now']);
/** What a story begins with: "we had crab", "I ordered pizza". */
const story = /^(?:had|ate|drank|ordered|bought|made|cooked|fried|finished|received|baked|grilled|unpacked|boiled)$/;

/** What an English name does: names that stand together, or behind "of" and "with", describe the first. */
export function englishRole({ linkEn }: RoleWords, { runs, mentions, given, at }: Place, mention: Mention): Role {
  const following = mentions[at + 1];
  if (following !== undefined && mention.to + 1 === following.from) return 'modifier';
  const isPart = runs[mention.to]?.isPart === true;
  if (isPart && (mentions.length > 1 || isHandled(runs, mention))) return 'part';
  for (let before = at - 1; before >= 0; before--) {
    const earlier = mentions[before];
    if (earlier === undefined || given[before] === 'part') continue;
    const between = runs.slice(earlier.to + 1, mention.from);
    if (between.some(({ kind, isJoint }) => kind === 'mark' && !isJoint)) break;
    if (between.some(({ written }) => linkEn.has(written))) return 'modifier';
    if (relative.test(between[0]?.written ?? '') && between.some(({ written }) => held.test(written)))
      return 'modifier';
    if (given[before] !== 'modifier') break;
  }
  return 'thing';
}

/** Of what is left, or heaped up in something, the contents are the thing; of a story, what is told last. */
export function preferContents(runs: readonly Run[], mentions: readonly Mention[], given: readonly Role[]): Role[] {
  const turned = [...given];
  for (const [at, mention] of mentions.entries()) {
    const following = mentions[at + 1];
    if (following === undefined || isHangul(mention) || isHangul(following) || turned[at] !== 'thing') continue;
    const between = runs.slice(mention.to + 1, following.from);
    const isOf = between[0]?.written === 'of' && between.every(({ kind }) => kind !== 'mark');
    if (isOf && (heaps.has(mention.key) || (holders.has(mention.key) && isLeft(runs, mention, following)))) {
      turned[at] = 'modifier';
      const head = headAfter(mentions, at + 1);
      if (turned[head] === 'modifier') turned[head] = 'thing';
    } else if (isStory(runs, mention) && turned.slice(at + 1).includes('thing')) {
      turned[at] = 'modifier';
    }
  }
  return turned;
}

function isLeft(runs: readonly Run[], { from }: Mention, { to }: Mention): boolean {
  return [...runs.slice(Math.max(0, from - 4), from), ...runs.slice(to + 1, to + 4)].some(({ written }) =>
    left.test(written),
  );
}

/** The last of the names that stand together from here on. */
function headAfter(mentions: readonly Mention[], from: number): number {
  let at = from;
  while (mentions[at + 1]?.from === (mentions[at]?.to ?? 0) + 1) at++;
  return at;
}

function isStory(runs: readonly Run[], { from, to }: Mention): boolean {
  const isTold = runs.slice(Math.max(0, from - 4), from).some(({ written }) => story.test(written));
  const isOver = runs.slice(to + 1, to + 5).some(({ kind, written }) => kind === 'mark' || turns.has(written));
  return isTold && isOver;
}
