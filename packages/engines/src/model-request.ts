import type { ResponseCreateParamsBase } from 'openai/resources/responses/responses';
import type { z } from 'zod';
import { strictFormat } from './strict-schema.ts';

/** What is asked of a model in one call. */
export interface StructuredCall<Value> {
  /** What is the same in all calls belongs here: providers cache a prompt by its beginning. */
  readonly instructions: string;
  readonly text: string;
  readonly image?: {
    readonly bytes: Uint8Array;
    readonly mediaType: string;
    readonly detail?: 'low' | 'high' | 'auto';
  };
  /** Of the answer: an object without optional properties. */
  readonly schema: z.ZodType<Value>;
  /** Letters, digits, `_` and `-`. */
  readonly schemaName: string;
  readonly maxOutputTokens?: number;
  /** Sent only where it is given: models that do not reason reject it. */
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high';
}

/** For whom a body is written, and whether the answer is to be streamed. */
export interface Asking {
  readonly model: string;
  readonly isStreamed: boolean;
}

/**
 * The body of a call of the Responses API, JSON in UTF-8. What is the same in all calls is written once and copied; the
 * photo, by far the most of it, goes from base64 right into its place, since no character of that needs an escape.
 */
export function requestBody(call: StructuredCall<unknown>, asking: Asking): Buffer {
  const { text, image } = call;
  const head = headOf(call, asking);
  const said = `,"input":[{"role":"user","content":[{"type":"input_text","text":${JSON.stringify(text)}}`;
  if (image === undefined) return Buffer.concat([head, Buffer.from(`${said}]}]}`)]);
  const { bytes, mediaType, detail = 'auto' } = image;
  const url = JSON.stringify(`data:${mediaType};base64,`).slice(0, -1);
  const middle = Buffer.from(`${said},{"type":"input_image","detail":"${detail}","image_url":${url}`);
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  // With a buffer of its own, whose memory can be given back.
  const body = Buffer.allocUnsafeSlow(head.length + middle.length + base64.length + tail.length);
  let end = head.copy(body);
  end += middle.copy(body, end);
  end += body.write(base64, end, 'latin1');
  tail.copy(body, end);
  return body;
}

const tail = Buffer.from('"}]}]}');

/** A process asks few models, each with one prompt; replays may name others. */
const mostHeads = 8;

interface Head {
  readonly call: Omit<StructuredCall<unknown>, 'text' | 'image'>;
  readonly asking: Asking;
  readonly bytes: Buffer;
}

/** The newest first. */
const heads: Head[] = [];

/** The beginning of the object, with what does not change from call to call. */
function headOf(call: StructuredCall<unknown>, asking: Asking): Buffer {
  const known = heads.find((head) => isFor(head, call, asking));
  if (known) return known.bytes;
  const { instructions, schema, schemaName, maxOutputTokens, reasoningEffort } = call;
  const { model, isStreamed } = asking;
  const fixed = {
    model,
    instructions,
    text: { format: strictFormat(schema, schemaName) },
    // People's photos are not left with the provider.
    store: false,
    ...(isStreamed ? { stream: true } : {}),
    ...(maxOutputTokens === undefined ? {} : { max_output_tokens: maxOutputTokens }),
    ...(reasoningEffort === undefined ? {} : { reasoning: { effort: reasoningEffort } }),
  } satisfies Omit<ResponseCreateParamsBase, 'input'>;
  const bytes = Buffer.from(JSON.stringify(fixed).slice(0, -1));
  const { text: _text, image: _image, ...same } = call;
  heads.unshift({ call: same, asking, bytes });
  heads.length = Math.min(heads.length, mostHeads);
  return bytes;
}

function isFor({ call, asking }: Head, other: StructuredCall<unknown>, { model, isStreamed }: Asking): boolean {
  return (
    asking.model === model &&
    asking.isStreamed === isStreamed &&
    call.schema === other.schema &&
    call.schemaName === other.schemaName &&
    call.maxOutputTokens === other.maxOutputTokens &&
    call.reasoningEffort === other.reasoningEffort &&
    call.instructions === other.instructions
  );
}
