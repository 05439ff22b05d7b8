import { expect, test } from '@jest/globals';
import { catalogue } from './catalogue.ts';
import { makeTopicReader } from './topics.ts';

const readTopics = makeTopicReader(catalogue.topics);
const topicsOf = (question: string) => [...readTopics(question)];

test.each([
  ['라벨 떼야 돼요?', ['label']],
  ['뚜껑을 닫아서 버리나요?', ['cap']],
  ['몇개까지 되나요, 여러개예요', ['amount']],
  ['Should I rinse it?', ['rinse']],
  ['Are the labels a problem?', ['label']],
  ['이거 뭐예요?', []],
  ['', []],
])('"%s" asks about %j', (question, topics) => {
  expect(topicsOf(question)).toEqual(topics);
});

test('깨끗 is not 깨진', () => {
  expect(topicsOf('깨끗해요')).not.toContain('broken');
  expect(topicsOf('깨졌어요')).toContain('broken');
});

test('an English word is no part of a longer one', () => {
  expect(topicsOf('a capable machine')).not.toContain('cap');
});
