/** What the page says in one language. What is a plain text may stand in the page as it comes from the server. */
export interface OpsWords {
  readonly title: string;
  readonly intro: string;
  readonly skip: string;
  readonly needsScript: string;
  readonly links: string;
  readonly language: string;
  readonly pageLink: string;
  readonly docsLink: string;
  readonly boardLink: string;
  readonly leave: string;
  readonly pause: string;
  readonly goOn: string;
  readonly pipeline: string;
  readonly stage: string;
  readonly waiting: string;
  readonly delayed: string;
  readonly oldest: string;
  readonly inFlight: string;
  readonly workers: string;
  readonly rate: string;
  readonly perMinute: (rate: string) => string;
  readonly times: string;
  readonly today: string;
  readonly accepted: string;
  readonly completed: string;
  readonly failed: string;
  readonly canceled: string;
  readonly cached: string;
  readonly throughput: string;
  readonly cost: string;
  readonly ofCap: (cap: string) => string;
  readonly noCap: string;
  readonly lastDays: string;
  readonly day: string;
  readonly deadLetters: string;
  readonly deadLettersNote: string;
  readonly noDeadLetters: string;
  readonly more: (shown: number) => string;
  readonly failedAt: string;
  readonly request: string;
  readonly why: string;
  readonly owner: string;
  readonly attempts: string;
  readonly action: string;
  readonly retry: string;
  readonly retried: (id: string) => string;
  readonly states: Readonly<Record<'idle' | 'working' | 'full' | 'paused' | 'unserved', string>>;
  readonly names: Readonly<Record<string, string>>;
  readonly updated: (time: string) => string;
  readonly paused: string;
  readonly lost: string;
  readonly refused: (status: number) => string;
  readonly regained: string;
  readonly ago: (text: string) => string;
  readonly keyHeading: string;
  readonly keyText: string;
  readonly keyRefused: string;
  readonly keyNotAdmin: string;
  readonly keyLabel: string;
  readonly keyUse: string;
}

const korean: OpsWords = {
  title: '운영 현황',
  intro: '단계마다 밀린 일과 처리 속도, 오늘 쓴 비용, 실패한 요청을 몇 초마다 새로 보여 줍니다.',
  skip: '본문으로 건너뛰기',
  needsScript: '이 화면은 자바스크립트가 필요합니다.',
  links: '바로가기',
  language: '언어',
  pageLink: '처음 화면',
  docsLink: 'API 문서',
  boardLink: '작업 목록',
  leave: '나가기',
  pause: '새로 고침 멈추기',
  goOn: '새로 고침 계속',
  pipeline: '처리 단계',
  stage: '단계',
  waiting: '대기',
  delayed: '나중에 다시',
  oldest: '가장 오래 기다린 시간',
  inFlight: '처리 중 / 자리',
  workers: '워커',
  rate: '분당 처리',
  perMinute: (rate) => `분당 ${rate}`,
  times: '걸린 시간 p50 / p95',
  today: '오늘 (서울)',
  accepted: '접수',
  completed: '완료',
  failed: '실패',
  canceled: '취소',
  cached: '이전 답 재사용',
  throughput: '분당 완료',
  cost: '모델 비용',
  ofCap: (cap) => `하루 한도 ${cap} 중`,
  noCap: '하루 한도 없음',
  lastDays: '최근 7일',
  day: '날짜',
  deadLetters: '실패한 요청',
  deadLettersNote: '우리 쪽이나 모델 쪽 문제로 실패한 요청입니다. 다시 시도하면 실패한 단계부터 이어 갑니다.',
  noDeadLetters: '실패한 요청이 없습니다.',
  more: (shown) => `최근 ${shown}건만 보여 줍니다. 나머지는 명령줄이나 API로 볼 수 있습니다.`,
  failedAt: '언제',
  request: '요청',
  why: '이유',
  owner: '소유자',
  attempts: '시도',
  action: '조치',
  retry: '다시 시도',
  retried: (id) => `${id} 요청을 다시 시작했습니다.`,
  states: {
    idle: '쉬는 중',
    working: '처리 중',
    full: '자리 없음',
    paused: '멈춤',
    unserved: '워커 없음',
  },
  names: {
    preprocess: '사진 다듬기',
    vision: '물건 알아보기',
    'vision.local': '자체 모델',
    rag: '규정 찾기',
    llm: '답 쓰기',
  },
  updated: (time) => `${time} 기준`,
  paused: '새로 고침이 멈춰 있습니다.',
  lost: '서비스에서 답이 없습니다. 계속 다시 시도합니다. 아래는 마지막으로 받은 내용입니다.',
  refused: (status) =>
    `서비스가 오류 ${status}(으)로 답했습니다. 계속 다시 시도합니다. 아래는 마지막으로 받은 내용입니다.`,
  regained: '다시 연결되었습니다.',
  ago: (text) => `${text} 전`,
  keyHeading: '관리자 키가 필요합니다',
  keyText: 'admin 권한이 있는 API 키를 넣으세요. 이 브라우저에서 한 시간 동안 열리며, 키는 저장하지 않습니다.',
  keyRefused: '이 키로는 들어갈 수 없습니다. 다시 확인해 주세요.',
  keyNotAdmin: '이 키에는 admin 권한이 없습니다.',
  keyLabel: 'API 키',
  keyUse: '들어가기',
};

const english: OpsWords = {
  title: 'Operations',
  intro: 'What waits in each stage and how fast it goes, what today costs, and what failed; new every few seconds.',
  skip: 'Skip to the content',
  needsScript: 'This page needs JavaScript.',
  links: 'Links',
  language: 'Language',
  pageLink: 'Start page',
  docsLink: 'API',
  boardLink: 'Jobs',
  leave: 'Sign out',
  pause: 'Pause refreshing',
  goOn: 'Go on refreshing',
  pipeline: 'Pipeline',
  stage: 'Stage',
  waiting: 'Waiting',
  delayed: 'Later again',
  oldest: 'Oldest waits',
  inFlight: 'In flight / slots',
  workers: 'Workers',
  rate: 'A minute',
  perMinute: (rate) => `${rate} a minute`,
  times: 'Takes, p50 / p95',
  today: 'Today (Seoul)',
  accepted: 'Accepted',
  completed: 'Completed',
  failed: 'Failed',
  canceled: 'Canceled',
  cached: 'Answered from before',
  throughput: 'Completed a minute',
  cost: 'Cost of models',
  ofCap: (cap) => `of ${cap} a day`,
  noCap: 'no cap a day',
  lastDays: 'The last 7 days',
  day: 'Day',
  deadLetters: 'Failed requests',
  deadLettersNote: 'They failed on our side or the provider’s. A retry goes on from the stage that failed.',
  noDeadLetters: 'No request has failed.',
  more: (shown) => `The latest ${shown} are shown. The command line and the API have the rest.`,
  failedAt: 'When',
  request: 'Request',
  why: 'Why',
  owner: 'Owner',
  attempts: 'Attempts',
  action: 'Action',
  retry: 'Retry',
  retried: (id) => `${id} has been started again.`,
  states: { idle: 'idle', working: 'working', full: 'no free slot', paused: 'paused', unserved: 'no worker' },
  names: {
    preprocess: 'Prepare the photo',
    vision: 'Recognise the thing',
    'vision.local': 'Own model',
    rag: 'Find the rules',
    llm: 'Write the answer',
  },
  updated: (time) => `as of ${time}`,
  paused: 'Refreshing is paused.',
  lost: 'The service does not answer. It is asked again; what is below is the last that it said.',
  refused: (status) =>
    `The service answers with error ${status}. It is asked again; what is below is the last that it said.`,
  regained: 'Connected again.',
  ago: (text) => `${text} ago`,
  keyHeading: 'An administrator’s key is needed',
  keyText: 'Give an API key with the scope admin. It opens this browser for an hour, and is not kept.',
  keyRefused: 'This key does not work. Check it, please.',
  keyNotAdmin: 'This key does not have the scope admin.',
  keyLabel: 'API key',
  keyUse: 'Open',
};

export const opsWords = { ko: korean, en: english } as const;

/** A length of time in one or two units, as both languages read it. */
export function span(seconds: number, lang: 'ko' | 'en'): string {
  const units = lang === 'ko' ? ['초', '분', '시간', '일'] : [' s', ' min', ' h', ' d'];
  const [size, unit] = seconds < 90 ? [1, 0] : seconds < 5_400 ? [60, 1] : seconds < 129_600 ? [3_600, 2] : [86_400, 3];
  return `${Math.round(seconds / size)}${units[unit] ?? ''}`;
}
