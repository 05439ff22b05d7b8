// Requests for the fuzz test: made of the OpenAPI document, half of them as it wants them, the others not quite.
import * as fc from 'fast-check';
import { nearlyOf, oddText, seldom, valueOf, type Resolve, type Schema } from './fuzz-values.ts';

interface Media {
  readonly schema: Schema;
  readonly example?: unknown;
  /** Of refusals, by their code. */
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly body: Readonly<Record<string, Media>>;
  readonly responses: Readonly<Record<string, DescribedAnswer>>;
}

interface DescribedAnswer {
  readonly content?: Readonly<Record<string, Media>>;
  readonly headers?: Readonly<Record<string, object>>;
}

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
}

const boundary = 'fuzz';

type Body = fc.Arbitrary<{ type: string | null; bytes: Uint8Array | null }>;
type Make = (media: Media, resolve: Resolve) => fc.Arbitrary<unknown>;

/** Bodies as the operation takes them, with values that `make` makes. */
function bodiesFor(operation: Operation, resolve: Resolve, make: Make): Body[] {
  return Object.entries(operation.body).map(([type, media]) =>
    make(media, resolve).map((value) =>
      type === 'multipart/form-data'
        ? { type: `${type}; boundary=${boundary}`, bytes: toForm(value) }
        : { type, bytes: Buffer.from(type === 'application/json' ? (JSON.stringify(value) ?? '') : String(value)) },
    ),
  );
}

/** What the schema allows, or an example: schemas cannot say all, as that one of two fields is needed. */
function fittingValue({ schema, example, examples = {} }: Media, resolve: Resolve): fc.Arbitrary<unknown> {
  const given = [...(example === undefined ? [] : [example]), ...Object.values(examples).map(({ value }) => value)];
  return fc.oneof(valueOf(schema, resolve), ...(given.length > 0 ? [fc.constantFrom(...given)] : []));
}

const noBody: Body = fc.constant({ type: null, bytes: null });

function fittingBody(operation: Operation, resolve: Resolve): Body {
  const bodies = bodiesFor(operation, resolve, fittingValue);
  return bodies.length === 0 ? noBody : fc.oneof(...bodies);
}

function oddBody(operation: Operation, resolve: Resolve): Body {
  const raw = fc.oneof(
    fc
      .constantFrom('', '{', '[1,', '"', '\u0000', `--${boundary}\r\n`, 'x'.repeat(70_000))
      .map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }),
  );
  const types = [
    'application/json',
    `multipart/form-data; boundary=${boundary}`,
    'multipart/form-data',
    'text/plain',
    'text/csv',
    'application/json; charset=utf-7',
    'application/x-ndjson',
    'application/zip',
    'x',
    '/',
  ];
  const wrong = fc.record({ type: fc.option(fc.constantFrom(...types)), bytes: fc.option(raw) });
  const near = bodiesFor(operation, resolve, ({ schema }) => nearlyOf(resolveOnce(schema, resolve), resolve));
  if (near.length === 0) return fc.oneof({ weight: 3, arbitrary: noBody }, wrong);
  return fc.oneof({ weight: 4, arbitrary: fc.oneof(...near) }, { weight: 1, arbitrary: wrong });
}

function resolveOnce(schema: Schema, resolve: Resolve): Schema {
  return schema.$ref === undefined ? schema : resolve(schema.$ref);
}

function toForm(value: unknown): Buffer {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [['image', value] as const];
  const parts = entries.flatMap(([name, field]) => {
    const text = typeof field === 'string' ? field : (JSON.stringify(field) ?? '');
    const file = name === 'image' || name === 'file' ? '; filename="a.jpg"\r\nContent-Type: image/jpeg' : '';
    return [`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${text}\r\n`];
  });
  return Buffer.from(`${parts.join('')}--${boundary}--\r\n`);
}

/** Header values as Node lets them be sent. */
const headerText = oddText.map((text) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 2_000));

type Headers = Readonly<Record<string, string>>;

export interface Known {
  /** What stands in the path of the operation for things that exist, or have. */
  readonly ids: readonly string[];
  /** Who may do what the operation does, and who else there is. */
  readonly keys: { readonly right: Headers; readonly others: readonly Headers[] };
}

interface Parts {
  readonly given: readonly { name: string; place: string; text: string; given: boolean }[];
  readonly headers: { readonly key: Headers; readonly odd: Headers };
  readonly body: { readonly type: string | null; readonly bytes: Uint8Array | null };
  readonly stray: readonly [string, string] | null;
}

/** Requests to one operation. */
export function requestsTo(operation: Operation, resolve: Resolve, known: Known): fc.Arbitrary<FuzzRequest> {
  const parts = fc.oneof(fittingParts(operation, resolve, known), oddParts(operation, resolve, known));
  return parts.map((chosen) => toRequest(operation, chosen));
}

function parametersOf(operation: Operation, resolve: Resolve, { ids }: Known, oddWeight: number) {
  const parameters = operation.parameters.map(({ name, in: place, schema }) => {
    const fitting = valueOf(schema, resolve).map((value) => (Array.isArray(value) ? value.join(',') : String(value)));
    const known = place === 'path' && ids.length > 0 ? [{ weight: 9, arbitrary: fc.constantFrom(...ids) }] : [];
    const text = fc.oneof(...known, { weight: 3, arbitrary: fitting }, { weight: oddWeight, arbitrary: oddText });
    return fc.record({
      name: fc.constant(name),
      place: fc.constant(place),
      // Long waits have a test of their own, and would only be long here.
      text: name === 'Prefer' ? fc.constantFrom('wait=0', 'wait=', 'wait=-1', 'respond-async') : text,
      given: place === 'path' ? fc.constant(true) : seldom(fc.constant(true)).map((given) => given === true),
    });
  });
  return fc.tuple(...parameters);
}

/** All as the document wants it, by somebody who may. */
function fittingParts(operation: Operation, resolve: Resolve, known: Known): fc.Arbitrary<Parts> {
  return fc.record({
    given: parametersOf(operation, resolve, known, 0),
    headers: fc.constant({ key: known.keys.right, odd: {} }),
    body: fittingBody(operation, resolve),
    stray: fc.constant(null),
  });
}

function oddParts(operation: Operation, resolve: Resolve, known: Known): fc.Arbitrary<Parts> {
  const { right, others } = known.keys;
  const headers = fc.record({
    key: fc.oneof({ weight: 4, arbitrary: fc.constant(right) }, fc.constantFrom({}, ...others)),
    odd: fc.dictionary(
      fc.constantFrom(
        'accept',
        'accept-language',
        'x-request-id',
        'if-none-match',
        'range',
        'expect-ct',
        'cookie',
        'x-forwarded-for',
      ),
      headerText,
      { maxKeys: 2 },
    ),
  });
  const stray = fc.option(fc.tuple(fc.constantFrom('x', '__proto__', 'limit[]', 'limit'), oddText), { freq: 4 });
  const given = parametersOf(operation, resolve, known, 3);
  return fc.record({ given, headers, body: oddBody(operation, resolve), stray });
}

function toRequest(operation: Operation, { given, headers, body: { type, bytes }, stray }: Parts): FuzzRequest {
  const used = given.filter(({ given: isGiven }) => isGiven);
  const of = (place: string) => used.filter((parameter) => parameter.place === place);
  const path = of('path').reduce(
    (text, { name, text: value }) => text.replace(`{${name}}`, encode(value) || '_'),
    operation.path,
  );
  const query = [...of('query').map(({ name, text }) => [name, text] as const), ...(stray ? [stray] : [])];
  const search = query.map(([name, text]) => `${encode(name)}=${encode(text)}`).join('&');
  const own = Object.fromEntries(of('header').map(({ name, text }) => [name.toLowerCase(), toHeader(text)]));
  return {
    method: operation.method,
    path: search === '' ? path : `${path}?${search}`,
    headers: { ...headers.odd, ...own, ...headers.key, ...(type === null ? {} : { 'content-type': type }) },
    body: operation.method === 'GET' ? null : bytes,
  };
}

function toHeader(text: string): string {
  return text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 2_000);
}

/** Lone surrogates, which `encodeURIComponent` refuses, are replaced. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
