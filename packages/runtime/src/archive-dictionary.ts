/**
 * What most archives have in common, for zlib's preset dictionary: a packed record is half as large with it. Archives can
 * be read only with the very bytes that they were written with, and name them by their checksum. So what stands here is
 * never changed; better words are a further entry of the list, the newest first, which writes from then on.
 */
export const dictionaries: readonly Buffer[] = [firstEdition()].map((text) => Buffer.from(text));

/** An archive in which rare words come first and the most frequent last: the nearer, the shorter they are referred to. */
function firstEdition(): string {
  const rare = [
    words(['stage.retrying', 'stage.released', 'retried', 'canceled', 'failed', 'pending', 'skipped', 'batch', '"en"']),
    '{"code":"image_unreadable","stage":"preprocess","message":"The image could not be read.","retryable":false}',
    '{"stage":"vision","reason":"shared_work"}{"stage":"llm","reason":"rate_limited"}{"stage":"llm","code":"model_timeout"}',
    '.lost","generation","error","degraded","source":{"kind":"url","url":"https://www.","replay":{"of":"req_',
    words(['general', 'noncombustible', 'food', 'bulky', 'hazardous', 'construction', 'unknown', 'heavy', 'light']),
    words(['condition', 'prohibition', 'exception', 'confusion', 'search', 'category', 'score', 'simulator/', 'off']),
    'Do not throw it away. Put it into the bin for and rinse with water. Take the label, the cap and the tape off. How do I ',
    '일반쓰레기 음식물 대형폐기물 스티커 신고 주민센터 수거함 아파트 단지 재활용 플라스틱 비닐류 종이류 유리병 캔류 페트병 스티로폼 라벨 뚜껑 ',
    '어떻게 버려요? 이거 이것 내용물을 비우고 물로 헹구세요. 종량제봉투에 넣지 마세요. 종량제봉투에 담아 버리세요. 따로 모아 내놓으세요. 떼어 내세요. ',
  ];
  return rare.join('') + JSON.stringify([sampleFields(), sampleEvents()]);
}

function words(each: readonly string[]): string {
  return each.map((word) => `"${word}"`).join('');
}

/** Ids and hashes are left out: no two archives share one. */
function sampleFields(): Record<string, string> {
  const done = { attempts: '1', cached: '0', durationMs: '1200' };
  const usage = { input_tokens: 3600, output_tokens: 160, cost_usd: 0.0012 };
  const engine = (model: string) => ({ provider: 'openai', model, prompt_version: '1' });
  const rule = { rule_id: '/', version: '2020', kind: 'step', text: '하세요.' };
  const outputs = {
    llm: {
      guidance: {
        answer: '하세요. ',
        steps: [{ text: '하세요.', rule_ids: ['/'] }],
        missing: [],
        warnings: [],
        sources: [{ rule_id: '/', version: '2020' }],
      },
      engine: engine('gpt-4o-mini'),
      usage,
      droppedSteps: 0,
    },
    preprocess: { sha256: '', key: 'images/.jpg', width: 1024, height: 768, sizeBytes: 90_000 },
    rag: {
      item_id: '',
      item_name: '',
      match: 'id',
      candidates: [],
      sentences: [rule, { ...rule, kind: 'prohibition' }, rule],
      catalogue_version: '',
      tokens: 120,
    },
    vision: {
      classification: {
        waste_category: 'recyclable',
        subcategory: '',
        item_id: '',
        item_name: '',
        confidence: 0.9,
        condition: { cap: 'none', rinsed: 'no', contamination: 'none', label: 'on' },
        engine: engine('gpt-5'),
      },
      usage,
    },
  };
  const stage = (name: keyof typeof outputs) => ({
    [`${name}.attempts`]: done.attempts,
    [`${name}.cached`]: done.cached,
    [`${name}.durationMs`]: done.durationMs,
    [`${name}.output`]: JSON.stringify(outputs[name]),
    [`${name}.startedAt`]: '179',
    [`${name}.status`]: 'completed',
  });
  const request = {
    id: 'req_01a',
    owner: '',
    question: '',
    locale: 'ko',
    source: { kind: 'upload', key: 'uploads/req_01a', sha256: '', sizeBytes: 200_000 },
    priority: 'interactive',
    createdAt: 179,
    deadlineAt: 179,
  };
  return {
    completedAt: '179',
    deadlineAt: '179',
    ...stage('llm'),
    ...stage('preprocess'),
    ...stage('rag'),
    request: JSON.stringify(request),
    turn: '0',
    ...stage('vision'),
  };
}

function sampleEvents(): string[][] {
  const started = (stage: string) => ['stage.started', '179', JSON.stringify({ stage, attempt: 1 })];
  const completed = (stage: string) => [
    'stage.completed',
    '179',
    JSON.stringify({ stage, duration_ms: 1200, cached: false }),
  ];
  return [
    ['1', 'accepted', '179', '{}'],
    ['2', ...started('preprocess')],
    ['3', ...completed('preprocess')],
    ['4', ...started('vision')],
    ['5', ...completed('vision')],
    ['6', ...started('rag')],
    ['7', ...completed('rag')],
    ['8', ...started('llm')],
    ['9', 'answer.delta', '179', JSON.stringify({ offset: 0, text: '' })],
    ['10', 'answer.delta', '179', JSON.stringify({ offset: 40, text: ' ' })],
    ['11', ...completed('llm')],
    ['12', 'completed', '179', '{}'],
  ];
}
