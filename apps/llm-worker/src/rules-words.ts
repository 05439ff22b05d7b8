import type { Condition, Locale, WasteCategory } from '@bunri/queue-contracts';

interface Words {
  readonly bins: Readonly<Record<WasteCategory, string>>;
  readonly certain: (item: string) => string;
  readonly uncertain: (item: string) => string;
  readonly bin: (bin: string, hasSteps: boolean) => string;
  readonly noRules: string;
  readonly dirty: string;
  /** Who reads the guidance must know that no model wrote it. */
  readonly withoutModel: string;
  readonly whatIsIt: string;
  readonly whichOne: (items: readonly string[]) => string;
  /** How a rule names a state of the thing, and how to ask for it. */
  readonly states: Readonly<Record<keyof Condition, { readonly named: RegExp; readonly question: string }>>;
}

/** The words around the rules in guidance that no model wrote. */
export const words: Readonly<Record<Locale, Words>> = {
  ko: {
    bins: {
      recyclable: '재활용품',
      general: '일반종량제',
      noncombustible: '불연성종량제',
      food: '음식물류',
      bulky: '대형폐기물',
      hazardous: '생활계유해폐기물',
      construction: '공사장생활폐기물',
    },
    certain: (item) => `사진 속 물건: ${item}.`,
    uncertain: (item) => `사진 속 물건: ${item} (사진만으로는 확실하지 않아요).`,
    bin: (bin, hasSteps) => `배출 구분: ${bin}.${hasSteps ? ' 아래 순서대로 내놓으면 돼요.' : ''}`,
    noRules: '이 물건에 맞는 배출 규칙을 찾지 못했으니, 버리기 전에 지자체에 확인해 주세요.',
    dirty: '오염이 심해 보여서, 상태에 따라 달라지는 안내를 맨 앞에 두었어요.',
    withoutModel:
      '지금은 언어 모델의 답을 받을 수 없어 배출 규칙만으로 만든 안내라서, 질문에 꼭 맞춘 답은 아닐 수 있어요.',
    whatIsIt: '이 물건은 무엇이고, 어떤 재질인가요?',
    whichOne: (items) => `이 물건은 다음 중 무엇인가요: ${items.join(', ')}?`,
    states: {
      cap: { named: /뚜껑|마개|캡/, question: '뚜껑이나 마개가 달려 있나요?' },
      rinsed: { named: /헹[구궈]|씻|비우|내용물/, question: '속을 비우고 헹궜나요?' },
      contamination: { named: /더럽|더러|이물질|오염|기름|곰팡이|묻/, question: '씻어도 지워지지 않는 오염이 있나요?' },
      label: { named: /라벨|상표|테이프|스티커|필름/, question: '라벨이나 테이프가 붙어 있나요?' },
      contents: { named: /내용물|남은|남았|비우/, question: '안에 내용물이 남아 있나요?' },
      attachments: { named: /떼|분리|빼|다른 재질/, question: '다른 재질의 부품이 붙어 있나요?' },
      damage: { named: /깨|파손|부서|망가/, question: '깨지거나 부서진 곳이 있나요?' },
      size: { named: /크기|봉투에 들어|큰 것/, question: '종량제봉투에 들어가는 크기인가요?' },
      hazard: { named: /부풀|새|위험|가스|불/, question: '부풀거나 새는 곳, 남은 가스가 있나요?' },
      quantity: { named: /많|여러|묶|대량/, question: '몇 개를 버리시나요?' },
    },
  },
  en: {
    bins: {
      recyclable: 'Recyclables',
      general: 'General waste',
      noncombustible: 'Non-combustible waste',
      food: 'Food waste',
      bulky: 'Bulky waste',
      hazardous: 'Household hazardous waste',
      construction: 'Small construction waste',
    },
    certain: (item) => `The photo shows: ${item}.`,
    uncertain: (item) => `The photo seems to show: ${item}, but that is not certain.`,
    bin: (bin, hasSteps) => `It is sorted as ${bin}.${hasSteps ? ' Put it out by the steps below.' : ''}`,
    noRules: 'No disposal rule was found for it, so ask your municipality before you discard it.',
    dirty: 'It looks heavily soiled, so what depends on its condition comes first.',
    withoutModel:
      'No language model could be asked just now: this guidance is made from the disposal rules alone and may not fit your question exactly.',
    whatIsIt: 'What is this thing, and what is it made of?',
    whichOne: (items) => `Which of these is it: ${items.join(', ')}?`,
    states: {
      cap: { named: /\b(cap|lid|stopper)s?\b/i, question: 'Does it have a cap or lid on it?' },
      rinsed: { named: /\b(rins|wash|empt|clean)/i, question: 'Is it emptied and rinsed?' },
      contamination: {
        named: /\b(dirt|soil|stain|greas|oil|mould|contamin)/i,
        question: 'Is there dirt on it that does not wash off?',
      },
      label: { named: /\b(label|tape|sticker|film)s?\b/i, question: 'Does it have a label or tape on it?' },
      contents: { named: /\b(content|empt|left|remain)/i, question: 'Is anything left inside?' },
      attachments: {
        named: /\b(part|remove|take off|other material)/i,
        question: 'Are parts of another material attached?',
      },
      damage: { named: /\b(broken|break|crack|damage)/i, question: 'Is it broken?' },
      size: { named: /\b(size|large|fit)/i, question: 'Does it fit into a garbage bag?' },
      hazard: {
        named: /\b(swollen|leak|danger|gas|fire)/i,
        question: 'Is it swollen or leaking, or is gas left in it?',
      },
      quantity: { named: /\b(many|several|bulk|bundle)/i, question: 'How many do you want to discard?' },
    },
  },
};
