import { expect, test } from '@jest/globals';
import { guidanceSchema, type Context } from '@bunri/queue-contracts';
import { mentionedPlaces } from './places.ts';
import { sentence, classification, context, inCondition, guide, receipt } from './rules-fixture.ts';

test.each([
  ['nothing, where all is known', {}, []],
  ['the cap, where a rule names it', { cap: 'unknown' }, ['뚜껑이나 마개가 달려 있나요?']],
  ['no label, where no rule names one', { label: 'unknown' }, []],
  ['nothing that is named only behind the condition of a rule', { rinsed: 'unknown' }, []],
  ['at most two states', { cap: 'unknown', contamination: 'unknown' }, [expect.any(String), expect.any(String)]],
] as const)('it asks back %s', (_, condition, missing) => {
  expect(guide({ classification: inCondition(condition) }).missing).toEqual(missing);
});

test.each([
  ['contents', '내용물이 굳어 남아 있으면 종량제봉투에 넣으세요.', 'If contents remain, use the standard garbage bag.'],
  ['attachments', '금속 부품이 붙어 있으면 떼세요.', 'If metal parts are attached, take them off.'],
  ['damage', '깨졌으면 신문지로 싸세요.', 'If it is broken, wrap it in newspaper.'],
  [
    'size',
    '봉투에 들어가지 않으면 대형폐기물로 신고하세요.',
    'If it does not fit into a bag, report it as bulky waste.',
  ],
  ['hazard', '부풀었으면 지자체에 물어보세요.', 'If it is swollen, ask your municipality.'],
  ['quantity', '여러 개면 묶어서 내놓으세요.', 'If there are several, tie them together.'],
] as const)('an unknown %s is asked back where a rule depends on it', (tag, ko, en) => {
  for (const [locale, text] of [
    ['ko', ko],
    ['en', en],
  ] as const) {
    const ruled = { ...context, sentences: [sentence('a/rule', 'condition', text)] };
    expect(guide({ locale, context: ruled }).missing).toHaveLength(1);
    const seen = {
      contents: 'empty',
      attachments: 'none',
      damage: 'none',
      size: 'bag',
      hazard: 'none',
      quantity: 'one',
    } as const;
    expect(guide({ locale, context: ruled, classification: inCondition({ [tag]: seen[tag] }) }).missing).toEqual([]);
  }
});

test('an item that is not certain is named as such, and the candidates are asked for', () => {
  const candidates = [
    { item_id: 'food-can', item_name: 'Food can', score: 0.7 },
    { item_id: 'spray-can', item_name: 'Spray can', score: 0.6 },
  ];
  const guessed: Context = { ...context, match: 'search', item_name: 'Food can', candidates };
  const { answer, missing } = guide({ context: guessed, locale: 'en' });
  expect(answer).toMatch(/not show it for certain, but if this is “Food can”/);
  expect(missing).toEqual(['Which of these is it: Food can, Spray can?']);
});

test('what the person said that it is needs no doubt, whatever vision took it for', () => {
  const guess = { ...classification, confidence: 0.2 };
  const said = { ...context, match: 'search', confirmed: true } as const;
  const certain = guide();
  expect(guide({ classification: guess, context: said })).toMatchObject({
    answer: certain.answer,
    missing: certain.missing,
  });
  expect(guide({ classification: guess }).answer).not.toBe(certain.answer);
});

test('a clarifying question of the look-up is the first that is asked back', () => {
  const question = '건전지인가요, 보조배터리인가요?';
  const unclear: Context = { ...context, clarification: { question, options: [] } };
  const { answer, missing } = guide({ context: unclear, classification: inCondition({ cap: 'unknown' }) });
  expect(missing).toEqual([question, '뚜껑이나 마개가 달려 있나요?']);
  expect(answer).toMatch(/^사진만으로는 확실하지 않지만, 통조림 캔이라면/);
});

test('without any rule there are no steps, but a question back and who to ask', () => {
  const empty: Context = { ...context, match: 'category', sentences: [] };
  for (const locale of ['ko', 'en'] as const) {
    const guidance = guide({ context: empty, locale });
    expect(guidanceSchema.safeParse(guidance).error).toBeUndefined();
    expect(guidance).toMatchObject({ steps: [], warnings: [], sources: [] });
    expect(guidance.missing).toHaveLength(1);
    expect(guidance.answer).toMatch(/지자체에 확인|ask your municipality/);
  }
});

test('where nothing is known of the thing, no bin is named, and the person is asked what it is', () => {
  const ask = sentence('any/ask', 'exception', '품목을 확실히 알 수 없으니, 버리기 전에 지자체에 확인하세요.');
  const { outcome: _, ...rest } = receipt;
  const unknown: Context = { ...rest, item_id: null, item_name: '', match: 'category', sentences: [ask] };
  for (const locale of ['ko', 'en'] as const) {
    const guidance = guide({ context: unknown, locale, question: locale === 'ko' ? '이거 뭐예요?' : 'what is this?' });
    expect(mentionedPlaces(guidance.answer)).toEqual([]);
    expect(guidance.outcome).toBeUndefined();
    expect(guidance.missing).toHaveLength(1);
  }
});

test('of a thing that is known only by its material, the answer is for that material alone', () => {
  const outcome = { waste_category: 'recyclable', subcategory: '플라스틱류', rule_id: null } as const;
  const unknown: Context = { ...receipt, item_id: null, item_name: '', match: 'category', outcome };
  expect(guide({ context: unknown, question: '플라스틱으로 된 거' }).answer).toMatch(
    /재질로만 된 물건이라면 플라스틱류로/,
  );
});
