/** Calls for the simulator's own tests. */
const strings = { type: 'array', items: { type: 'string' } };

export const answerSchema = {
  type: 'object',
  properties: {
    answer: { type: 'string' },
    steps: {
      type: 'array',
      items: {
        type: 'object',
        properties: { text: { type: 'string' }, rule_ids: strings },
        required: ['text', 'rule_ids'],
        additionalProperties: false,
      },
    },
    warnings: strings,
  },
  required: ['answer', 'steps', 'warnings'],
  additionalProperties: false,
};

export function callBody(text: string, extra: Record<string, unknown> = {}, image?: Buffer): Record<string, unknown> {
  const picture = image && { type: 'input_image', image_url: `data:image/jpeg;base64,${image.toString('base64')}` };
  return {
    model: 'gpt-4o-mini',
    instructions: 'Answer.',
    input: [{ role: 'user', content: [{ type: 'input_text', text }, ...(picture ? [picture] : [])] }],
    text: { format: { type: 'json_schema', name: 'answer', strict: true, schema: answerSchema } },
    ...extra,
  };
}

export function post(
  baseUrl: string,
  body: unknown,
  init: { key?: string | null; signal?: AbortSignal } = {},
): Promise<Response> {
  const { key = 'sk-test', signal } = init;
  return fetch(`${baseUrl}/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: signal ?? null,
  });
}
