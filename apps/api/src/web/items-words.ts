import type { Locale } from '@bunri/queue-contracts';
import type { Rule } from '@bunri/knowledge';

/** What the page says of itself in one language. */
export interface PageWords {
  readonly title: string;
  readonly intro: string;
  readonly skip: string;
  readonly ask: string;
  readonly search: string;
  readonly searchHint: string;
  readonly bin: string;
  readonly allBins: string;
  readonly submit: string;
  readonly language: string;
  readonly alsoCalled: string;
  readonly stream: string;
  readonly goesTo: string;
  readonly sources: string;
  readonly found: (count: number) => string;
  readonly nothing: string;
  readonly noItem: string;
  readonly kinds: Readonly<Record<Rule['kind'], string>>;
}

export const pageWords: Readonly<Record<Locale, PageWords>> = {
  ko: {
    title: '분리배출 품목 사전',
    intro: '품목을 찾아 어느 수거함에 어떻게 버리는지 확인하세요. 규칙마다 번호와 출처가 있습니다.',
    skip: '본문으로 건너뛰기',
    ask: '사진으로 물어보기',
    search: '품목 찾기',
    searchHint: '예: 우유팩, 건전지',
    bin: '배출 구분',
    allBins: '전체',
    submit: '찾기',
    language: '언어',
    alsoCalled: '다른 이름',
    stream: '배출 품목',
    goesTo: '이때 버리는 곳',
    sources: '출처',
    found: (count) => `품목 ${count}개`,
    nothing: '찾는 품목이 없습니다. 다른 이름이나 더 짧은 말로 찾아보세요.',
    noItem: '그런 품목이 없습니다. 이름으로 찾아보세요.',
    kinds: {
      step: '버리는 방법',
      condition: '상태에 따라',
      prohibition: '하지 마세요',
      exception: '예외',
      confusion: '헷갈리기 쉬운 품목',
    },
  },
  en: {
    title: 'Catalogue of waste items',
    intro: 'Find a thing, its bin, and how to put it out in Korea. Every rule has its id and its source.',
    skip: 'Skip to the content',
    ask: 'Ask with a photo',
    search: 'Find an item',
    searchHint: 'For example: milk carton, battery',
    bin: 'Bin',
    allBins: 'All',
    submit: 'Search',
    language: 'Language',
    alsoCalled: 'Also called',
    stream: 'Collected as',
    goesTo: 'Then it goes to',
    sources: 'Sources',
    found: (count) => (count === 1 ? '1 item' : `${count} items`),
    nothing: 'No item matches. Try another name, or fewer words.',
    noItem: 'There is no such item. Search for its name.',
    kinds: {
      step: 'How to put it out',
      condition: 'Depending on its state',
      prohibition: 'Do not',
      exception: 'Exceptions',
      confusion: 'Easily taken for',
    },
  },
};
