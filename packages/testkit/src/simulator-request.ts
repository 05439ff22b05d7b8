import { createHash } from 'node:crypto';
import type { CallKind } from './simulator-faults.ts';

/** The keywords of JSON Schema that a strict response format may use and that the simulator obeys. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

/** One call of the Responses API, as far as the simulator reads it. */
export interface ModelCall {
  readonly kind: CallKind;
  readonly model: string;
  readonly instructions: string;
  /** All text of the input, in order. */
  readonly text: string;
  readonly imageSha256: string | null;
  readonly schema: JsonSchema;
  readonly stream: boolean;
}

/** The call is refused with status 400, as the real API would. */
export class BadCall extends Error {
  override readonly name = 'BadCall';
  readonly param: string;
  readonly code: string;

  constructor(param: string, message: string, code = 'invalid_value') {
    super(message);
    this.param = param;
    this.code = code;
  }
}

/** @throws BadCall when the real API would answer 400. */
export function readCall(body: string): ModelCall {
  const request = parseObject(body);
  const model = request['model'];
  if (typeof model !== 'string' || model === '') throw new BadCall('model', 'Missing required parameter: model.');
  refuseForeignParameters(model, request);
  const parts = readParts(request['input']);
  const images = parts.flatMap((part) => (part.type === 'image' ? [part.bytes] : []));
  const instructions = request['instructions'] ?? '';
  if (typeof instructions !== 'string') throw new BadCall('instructions', 'instructions must be a string.');
  return {
    kind: images.length > 0 ? 'vision' : 'answer',
    model,
    instructions,
    text: parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n'),
    imageSha256: images.length > 0 ? createHash('sha256').update(Buffer.concat(images)).digest('hex') : null,
    schema: readSchema(request['text']),
    stream: request['stream'] === true,
  };
}

/** Models that think before they write take `reasoning` and no `temperature`; with the others it is the other way round. */
export function isReasoningModel(model: string): boolean {
  return /^(gpt-5|o\d)/.test(model);
}

function refuseForeignParameters(model: string, request: Record<string, unknown>): void {
  const foreign = isReasoningModel(model) ? ['temperature', 'top_p'] : ['reasoning'];
  for (const name of foreign) {
    if (request[name] !== undefined && request[name] !== null) {
      throw new BadCall(
        name,
        `Unsupported parameter: '${name}' is not supported with this model.`,
        'unsupported_parameter',
      );
    }
  }
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (isObject(value)) return value;
  } catch {
    // Told below, together with JSON that is no object.
  }
  throw new BadCall('body', 'We could not parse the JSON body of your request.', 'invalid_json');
}

type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'image'; readonly bytes: Buffer };

function readParts(input: unknown): Part[] {
  if (typeof input === 'string') return [{ type: 'text', text: input }];
  if (!Array.isArray(input) || input.length === 0) throw new BadCall('input', 'Missing required parameter: input.');
  return input.flatMap((message: unknown): Part[] => {
    const content = isObject(message) ? message['content'] : undefined;
    if (typeof content === 'string') return [{ type: 'text', text: content }];
    if (!Array.isArray(content)) throw new BadCall('input', 'A message has no content.');
    return content.map(readPart);
  });
}

function readPart(part: unknown): Part {
  if (isObject(part) && part['type'] === 'input_text' && typeof part['text'] === 'string') {
    return { type: 'text', text: part['text'] };
  }
  if (isObject(part) && part['type'] === 'input_image' && typeof part['image_url'] === 'string') {
    const base64 = /^data:image\/(?:jpeg|png|webp|gif);base64,([A-Za-z0-9+/]+=*)$/.exec(part['image_url'])?.[1];
    if (base64 === undefined) {
      throw new BadCall('input', 'The image data you provided does not represent a valid image.', 'invalid_image');
    }
    return { type: 'image', bytes: Buffer.from(base64, 'base64') };
  }
  throw new BadCall('input', 'A content part has an unknown type.');
}

function readSchema(text: unknown): JsonSchema {
  const format = isObject(text) ? text['format'] : undefined;
  if (
    !isObject(format) ||
    format['type'] !== 'json_schema' ||
    format['strict'] !== true ||
    !isObject(format['schema'])
  ) {
    throw new BadCall('text.format', 'The simulator answers calls with a strict json_schema format only.');
  }
  if (typeof format['name'] !== 'string' || !/^[\w-]{1,64}$/.test(format['name'])) {
    throw new BadCall('text.format.name', 'A name of letters, digits, _ and - is required.');
  }
  const schema: JsonSchema = format['schema'];
  const problem = schema.type === 'object' ? strictProblem(schema, '$') : 'the root must be an object';
  if (problem !== undefined) {
    throw new BadCall('text.format.schema', `Invalid schema for response_format: ${problem}.`, 'invalid_json_schema');
  }
  return schema;
}

/** What strict mode does not take: see "Supported schemas" in OpenAI's guide to structured outputs. */
const refusedKeywords = [
  'allOf',
  'default',
  'if',
  'maxLength',
  'minLength',
  'not',
  'oneOf',
  'patternProperties',
  'prefixItems',
  'propertyNames',
  'uniqueItems',
];

function strictProblem(schema: JsonSchema, path: string): string | undefined {
  const refused = refusedKeywords.find((keyword) => keyword in schema);
  if (refused !== undefined) return `'${refused}' is not permitted at ${path}`;
  if (schema.properties !== undefined || schema.type === 'object') {
    if (schema.additionalProperties !== false) return `additionalProperties must be false at ${path}`;
    const missing = Object.keys(schema.properties ?? {}).find((key) => !schema.required?.includes(key));
    if (missing !== undefined) return `'required' must list ${missing} at ${path}`;
  }
  if (schema.type === 'array' && schema.items === undefined) return `items is missing at ${path}`;
  const children = [
    ...Object.entries(schema.properties ?? {}),
    ...Object.entries(schema.$defs ?? schema.definitions ?? {}),
    ...(schema.anyOf ?? []).map((child, index) => [String(index), child] as const),
    ...(schema.items === undefined ? [] : [['items', schema.items] as const]),
  ];
  for (const [name, child] of children) {
    const problem = strictProblem(child, `${path}.${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
