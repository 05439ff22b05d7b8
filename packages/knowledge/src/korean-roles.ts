import type { Mention } from './mentions.ts';
import { isHandled, isHangul, type Place, type Role, type RoleWords } from './role.ts';
import { verbAt, type Run } from './runs.ts';

const meansTails = new Set(['으로', '로']);
const unlikeTails = new Set(['말고', '처럼', '보다', '째', '째로']);
const companyTails = new Set(['이랑', '랑', '하고', '와', '과']);
const originTails = new Set(['에서', '속에서', '에서만']);
const originWords = new Set(['속에서', '안에서']);
const caseTails = new Set(['', '이', '가', '을', '를']);
const intoTails = new Set(['에', '에다', '에다가']);
const ownTails = new Set(['', '의', '용']);
const endTails = new Set(['', '도', '인가', '인가요', '이죠', '죠']);
const collecting = new Set(['모으는', '모아두는', '버리는', '넣는', '수거하는', '담는', '내놓는', '분리하는']);
const collectingWhere = new Set(['버리는데', '모으는데', '넣는데']);
const collectionPlace = /^(?:통|데|곳|함|칸|봉투|자루|박스|상자|거|날|쪽)/;
const puttingIn = /^(?:넣|담|싸|모으|모아)/;
const asking = /^(?:어떻게|어디|어떡|어케|어찌|뭐|무슨|어느)/;
const substance = /^(?:재질|소재)/;
const material = /^(?:된|만든|만들|되어|돼|재질|소재)/;
const together = /^(?:같이|함께|섞|한꺼번|한데|똑같|같은|합쳐)/;
const reason = /(?:니까|라서|이라|길래)$/;
/** Behind a part they say that it is on the thing. */
const state = /^(?:붙|달|있|없|남|그대로|같이|함께|채)/;
const pointing = /^(?:이건|이런|그런|저런|어떤|무슨|그건|저건)$/;
/** Verbs that end so describe what comes next: 달린, 쓰던, 싸는. */
const describing = /(?:은|는|던)$/;
/** The same of a verb further before, where a noun or a topic may end so too: 심었던 갈색 화분, 씌워준 얇은 커버. */
const describingVerb =
  /.(?:던|았던|었던|[해워아어]준|놓은|놨던|둔|었든|된|[가-힣]신|[가져들담려]온|[쳐려아어]간)$|^(?:남은|나온|뗀|뺀|깐|싼|담긴|들어간|들어있는|쓰는|쓴|먹은|덮은)$/;
/** What is on, in or around another thing, and not that thing. */
const containing =
  /^(?:들어있던|들었던|들은|담겨있던|담겼던|담긴|담았던|담아준|씌워져있던|씌워진|씌운|씌워준|씌워져|덮었던|덮어놨던|덮은|감쌌던|감싼|쌌던|심었던|넣었던|꽂았던|끼웠던|붙어있던|포장했던|포장된)$/;
/** The end of what is told before the question proper: 먹었는데, 마시고, 정리하다가, 왔어요. */
const clauseEnd =
  /(?:는데|은데|ㄴ데|던데|했더니|더니|[아어여해워와려쳐켜]서|고|다가|면서|니까|거든요?|었어요|았어요|했어요|왔어요|었습니다|았습니다|했습니다|습니다|었음|았음)(?:요)?$/;
/** A clause of these is about the thing itself: what is done with it, or in which state it is. */
const aboutThing =
  /^(?:나갔|나간|꺼졌|켜|수명|바꾸|교체|이사|버리|버려|버릴|내놓|내놔|배출|처리|처분|폐기|정리했|씻|헹|닦|설거지|깨|고장|망가|부서|부러|찢|낡|오래|금이|금간|녹슬|떼|뗐|빼|뺐|분리|분해|비웠|비우|말렸|말려|남|많|생겼|나왔|나와|쌓|모았|모아|모으|있|없|못|안|작아|커|더러|묻|배|부풀|샜|새|굳|지났|지난|쓰던|썩|상했|터졌|터져|구멍|뜯|접|찌그|말랐|젖|보니|열어보|궁금|모르|싶|하는|되는|재활용|쓰레기|하고|아깝|다|끊어|휘|찍|바래|해졌|빠졌)/;
/** Behind a noun it says what the thing is. */
const copula = /(?:인데|이고|이라|인가|라서|니까|예요|이에요)/;
const topic = /^(?:은|는|은요|는요)$/;
/** What a later clause may be about. */
const subject = /^(?:|이|가|은|는|을|를|만|요|은요|는요|이요|인데|인데요|이에요|예요|이나|나|까지|들|들은|들이|들을)$/;

/** What a Korean name does, from its particle and the words around it. */
export function koreanRole(words: RoleWords, { runs, mentions, given, at }: Place, mention: Mention): Role {
  const { tail, to, from, key } = mention;
  const [before, following] = [mentions[at - 1], mentions[at + 1]];
  const next = wordAt(runs, to + 1);
  if (meansTails.has(tail)) return material.test(next) ? 'modifier' : 'means';
  if (isPutInto(runs, mention) && given.includes('thing')) return 'means';
  if (substance.test(next)) return 'predicate';
  if (next === '말고' || unlikeTails.has(tail) || next === '째') return 'company';
  if (isCollection(runs, mention)) return 'place';
  if (following !== undefined && isOrigin(runs, mention)) return 'modifier';
  if (following === undefined && isOfUnnamed(runs, mention)) return 'company';
  if (following !== undefined && describes(words, runs, mention, following)) return 'modifier';
  if (isOfResidue(words, { runs, mentions, given, at }, mention)) return 'modifier';
  if (companyTails.has(tail)) return together.test(next) ? 'company' : 'thing';
  if (reason.test(tail)) return 'predicate';
  const follows = before !== undefined && before.to + 1 === from && given[at - 1] !== 'company';
  if (words.residues.has(key) && (follows || given.includes('thing'))) return 'part';
  if (follows && words.said.has(key)) return 'predicate';
  if (before !== undefined && isOrigin(runs, before)) return 'thing';
  return runs[to]?.isPart === true && !isWholePart(words, runs, mention) ? 'part' : 'thing';
}

/** 김치 국물 밴 비닐봉지: of what the residue is that is on the thing. */
function isOfResidue(words: RoleWords, { runs, mentions, at }: Place, { to }: Mention): boolean {
  const [residue, thing] = [mentions[at + 1], mentions[at + 2]];
  if (residue === undefined || thing === undefined || residue.from !== to + 1) return false;
  return words.residues.has(residue.key) && describes(words, runs, residue, thing);
}

/** 체중계에서 나온, 택배박스에서 뗀: from where the thing comes. */
function isOrigin(runs: readonly Run[], { tail, to }: Mention): boolean {
  return originTails.has(tail) || originWords.has(wordAt(runs, to + 1));
}

/** 형광등 모으는 통에, 병 버리는 데: where such things are collected. */
function isCollection(runs: readonly Run[], { tail, to }: Mention): boolean {
  const [verb, place] = [wordAt(runs, to + 1), wordAt(runs, to + 2)];
  if (tail !== '') return false;
  return (collecting.has(verb) && collectionPlace.test(place)) || collectingWhere.has(verb);
}

/** Whether only a thing without a name of the catalogue was in it, on it or around it: 과일 씌워져있던 폭신한 거. */
function isOfUnnamed(runs: readonly Run[], { tail, to }: Mention): boolean {
  const verb = runs.slice(to + 1, to + 4).findIndex(({ written }) => containing.test(written));
  const head = runs[to + 2 + verb];
  return verb >= 0 && caseTails.has(tail) && head?.kind === 'hangul' && !head.isPlace;
}

/** 종이컵에 넣어서: what something else is put into. */
function isPutInto(runs: readonly Run[], { tail, to }: Mention): boolean {
  return intoTails.has(tail) && puttingIn.test(wordAt(runs, to + 1));
}

/** Whether what stands between says that the one is on, in or for the other, or nothing stands between. */
function describes(words: RoleWords, runs: readonly Run[], mention: Mention, following: Mention): boolean {
  if (runs[following.to]?.isPart === true && !isWholePart(words, runs, following)) return false;
  if (following.tail.startsWith('째') || isPutInto(runs, following)) return false;
  const between = runs.slice(mention.to + 1, following.from);
  if (between.some(({ kind, isPlace }) => kind !== 'hangul' || isPlace)) return false;
  const last = between.at(-1);
  const isResidue = words.residues.has(following.key);
  if (last === undefined) return ownTails.has(mention.tail) && !isResidue && !words.said.has(following.key);
  // 용기 빨간 국물이 안 빠져요 is about the container, 튀김하고 남은 기름 about the oil.
  if (isResidue && !words.linkKo.has(last.written)) return false;
  if (topic.test(mention.tail)) return false;
  const isFurther = between.slice(0, -1).some(({ written }) => describingVerb.test(written));
  return isFurther || (isDescribing(last.text) && !pointing.test(last.written));
}

/** A part is the thing where nothing is done to it: 유리병 뚜껑은요, and not 뚜껑 닫아서. */
function isWholePart({ linkKo }: RoleWords, runs: readonly Run[], mention: Mention): boolean {
  if (isHandled(runs, mention)) return false;
  const next = verbAt(runs, mention.to + 1);
  if (next === undefined || next.kind === 'mark' || next.isPlace) return true;
  return next.isIdle && !next.isHandling && !linkKo.has(next.written) && !state.test(next.written);
}

/** Things of what is told before lose to what the last clause is about: 칼국수 해먹고 조개껍데기가. */
export function demoteEarlier(
  words: RoleWords,
  runs: readonly Run[],
  mentions: readonly Mention[],
  given: readonly Role[],
): Role[] {
  const isLater = (at: number) => {
    const mention = mentions[at];
    if (mention === undefined || given[at] !== 'thing' || !isHangul(mention) || mention.isCompound) return false;
    return subject.test(mention.tail) && !words.residues.has(mention.key) && !words.said.has(mention.key);
  };
  return given.map((role, at) => {
    const mention = mentions[at];
    if (role !== 'thing' || mention === undefined || !isHangul(mention) || copula.test(mention.tail)) return role;
    if (topic.test(mention.tail)) return role;
    const isEarlier = mentions.some((later, i) => {
      if (i <= at || !isLater(i)) return false;
      return isAskedAbout(runs, later) || endsClause(runs.slice(mention.to + 1, later.from));
    });
    return isEarlier ? 'modifier' : role;
  });
}

/** 펌프는 어떻게 버려요: the topic of the question itself. */
function isAskedAbout(runs: readonly Run[], { tail, to }: Mention): boolean {
  return topic.test(tail) && asking.test(wordAt(runs, to + 1));
}

/** Whether what was told ends among these words, and was not about the thing itself. */
function endsClause(between: readonly Run[]): boolean {
  const end = between.findIndex(
    ({ kind, written, isPlace }) => kind === 'hangul' && !isPlace && clauseEnd.test(written),
  );
  if (end < 0 || between.slice(0, end).some(({ kind }) => kind === 'mark')) return false;
  return !between.slice(0, end + 1).some(({ written }) => aboutThing.test(written));
}

/** "사과 싸는 망 스티로폼 맞죠?", "candle jar, glass recycling?": a stream behind the thing at the end of a question. */
export function isPlaceAtEnd({ streams }: RoleWords, { runs, mentions, given, at }: Place): boolean {
  const mention = mentions[at];
  if (mention === undefined || !streams.has(mention.key) || mention.isCompound) return false;
  const isDescribed = given[at - 1] === 'modifier' && mentions[at - 1]?.to !== mention.from - 1;
  if (isDescribed || !given.slice(0, at).some((role) => role === 'thing' || role === 'modifier')) return false;
  const rest = runs.slice(mention.to + 1);
  const end = rest.findIndex(({ kind, isJoint }) => kind === 'mark' && !isJoint);
  const clause = end < 0 ? rest : rest.slice(0, end);
  const isAsked = rest[end]?.text === '?' || clause.some(({ isIdle }) => isIdle);
  const isLast = clause.every(({ isIdle, isPlace }) => isIdle && !isPlace);
  return isAsked && isLast && endTails.has(mention.tail);
}

function wordAt(runs: readonly Run[], at: number): string {
  const run = runs[at];
  return run?.kind === 'hangul' ? run.written : '';
}

function isDescribing(word: string): boolean {
  if (describing.test(word)) return true;
  const last = word.charCodeAt(word.length - 1) - 0xac00;
  // ㄴ closes the syllable: 달린, 담긴, 든.
  return last >= 0 && last % 28 === 4;
}
