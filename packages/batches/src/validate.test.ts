import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import type { BatchLine } from '@bunri/queue-contracts';
import { TransientError } from '@bunri/runtime';
import type { Row } from './row.ts';
import { validateInput, type InputKind, type ValidationReport } from './validate.ts';
import { writeZip } from './zip-fixture.ts';

interface Looked {
  readonly report: ValidationReport;
  readonly rows: (Row | null)[];
  readonly lines: BatchLine[];
  readonly kept: string[];
}

const photo = Buffer.from('photo: a bottle');

async function look(kind: InputKind, input: Buffer | Iterable<string | Buffer>, mostRows?: number): Promise<Looked> {
  const bytes = Buffer.isBuffer(input) ? input : null;
  const rows: (Row | null)[] = [];
  const lines: BatchLine[] = [];
  const kept: string[] = [];
  const report = await validateInput({
    kind,
    open: async () =>
      await Promise.resolve(Readable.from(bytes ? [bytes] : toBuffers(input as Iterable<string | Buffer>))),
    readRange: async (start, end) =>
      await Promise.resolve(Readable.from([rangeOf(bytes ?? Buffer.alloc(0), start, end)])),
    sizeBytes: bytes?.byteLength ?? 0,
    checkUrl: (url) => {
      if (!url.startsWith('https://')) throw new Error('it is not https');
      return url;
    },
    checkModels: (models) => {
      if (models.includes('unheard-of')) throw new Error('nobody serves unheard-of');
    },
    inspect: () => {
      const chunks: Uint8Array[] = [];
      return {
        take: (chunk) => void chunks.push(chunk),
        end: () => {
          const all = Buffer.concat(chunks);
          if (!all.toString('latin1').startsWith('photo')) throw new Error('The file is no photo.');
          return { sha256: createHash('sha256').update(all).digest('hex'), sizeBytes: all.byteLength };
        },
      };
    },
    maxPhotoBytes: 10 * 2 ** 20,
    keepPhoto: async (row) => {
      kept.push(`photo-${row}`);
      return await Promise.resolve(`photo-${row}`);
    },
    takeChunk: async (_chunk, some, invalid) => {
      rows.push(...some);
      lines.push(...invalid);
      await Promise.resolve();
    },
    signal: new AbortController().signal,
    ...(mostRows === undefined ? {} : { mostRows }),
  });
  return { report, rows, lines, kept };
}

/** As a bucket has it: what lies behind the end is an error. */
function rangeOf(bytes: Buffer, start: number, end: number): Buffer {
  if (start >= bytes.byteLength) throw new TransientError('storage_unavailable', '416');
  return bytes.subarray(start, end);
}

function* toBuffers(texts: Iterable<string | Buffer>): Generator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

const errorsOf = ({ report }: Looked) => report.errors.map(({ row, field, message }) => `${row} ${field}: ${message}`);

test('rows of CSV are read with their quotes, their models, their metadata and the byte order mark of a spreadsheet', async () => {
  const { report, rows } = await look('csv', [
    '\uFEFFimage_url,question,locale,models,metadata.shop,deadline,idempotency_key\r\n',
    'https://a.example/1.jpg,"What, ""this""?\nAnd that?",en,gpt-5;local,Seoul,600,k1\r\n',
    'https://a.example/2.jpg,,,,,,\r\n',
  ]);
  expect(report).toMatchObject({ total: 2, invalid: [], errors: [] });
  expect(rows).toEqual([
    {
      row: 1,
      image: { kind: 'url', url: 'https://a.example/1.jpg' },
      question: 'What, "this"?\nAnd that?',
      locale: 'en',
      models: ['gpt-5', 'local'],
      metadata: { shop: 'Seoul' },
      deadlineS: 600,
      key: 'k1',
    },
    { row: 2, image: { kind: 'url', url: 'https://a.example/2.jpg' } },
  ]);
});

test('all that is wrong with the rows of CSV is told at once, each with its row and its field', async () => {
  const looked = await look('csv', [
    'image_url,locale,colour,models,priority,idempotency_key\n',
    'https://a.example/1.jpg,ko,,,,k\n',
    'http://a.example/2.jpg,ko,,,,\n',
    'https://a.example/3.jpg,fr,red,,interactive,\n',
    'https://a.example/4.jpg,ko\n',
    ',ko,,,,\n',
    'https://a.example/6.jpg,ko,,unheard-of,,\n',
    'https://a.example/7.jpg,ko,,,,k\n',
  ]);
  expect(errorsOf(looked)).toEqual([
    '2 image_url: it is not https',
    '3 locale: invalid option: expected one of "ko"|"en"',
    '3 priority: can only be batch: rows of a batch are batch work',
    '3 colour: is not known',
    '4 row: has 2 cells where the header has 6',
    '5 image_url: is missing',
    '6 models: nobody serves unheard-of',
    '7 idempotency_key: is that of an earlier row',
  ]);
  expect(looked.report.invalid).toEqual([2, 3, 4, 5, 6, 7]);
  expect(looked.lines.map(({ row, status }) => `${row} ${status}`)).toEqual(
    [2, 3, 4, 5, 6, 7].map((row) => `${row} invalid`),
  );
});

test('an input that cannot be read as a whole says why', async () => {
  await expect(look('csv', [''])).rejects.toThrow('empty');
  await expect(look('csv', ['a,b\n1,2\n'])).rejects.toThrow('no column image_url');
  await expect(look('csv', ['image_url\n'])).rejects.toThrow('no rows');
  await expect(look('csv', ['image_url\n"https://a.example/1.jpg\n'])).rejects.toThrow('quote is not closed');
  await expect(look('csv', ['image_url,image_url\n1,2\n'])).rejects.toThrow('twice');
  await expect(look('zip', Buffer.from('PK no archive at all'))).rejects.toThrow('cannot be read');
});

test('what is not UTF-8 is refused as a whole, and never read as something else', async () => {
  // What a Korean Excel saves as CSV: CP949.
  const cp949 = Buffer.from('b0a1', 'hex');
  const csv = [Buffer.from('image_url,question\nhttps://a.example/1.jpg,'), cp949, Buffer.from('\n')];
  await expect(look('csv', csv)).rejects.toThrow('not in UTF-8');
  const line = [Buffer.from('{"image_url":"https://a.example/1.jpg","question":"'), cp949, Buffer.from('"}\n')];
  await expect(look('jsonl', line)).rejects.toThrow('not in UTF-8');
  // A character that two chunks share is whole.
  const [one, two] = [Buffer.from('가').subarray(0, 1), Buffer.from('가').subarray(1)];
  const { rows } = await look('csv', [csv[0] ?? '', one, two, '\n']);
  expect(rows[0]?.question).toBe('가');
});

test('a row of many wrong fields is told at no greater length than it has', async () => {
  const fields = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, 1]));
  const { lines } = await look('jsonl', [JSON.stringify(fields)]);
  expect(lines[0]?.error?.message.length).toBeLessThan(2_000);
  const header = Array.from({ length: 5_000 }, (_, i) => `f${i}`).join(',');
  await expect(look('csv', [`image_url,${header}\n`])).rejects.toThrow('more than 100 columns');
});

test('how many rows name which models is told, for what they may cost', async () => {
  const { report } = await look('csv', [
    'image_url,models\n',
    'https://a.example/1.jpg,\nhttps://a.example/2.jpg,gpt-5;local\nhttps://a.example/3.jpg,gpt-5;local\n',
    'https://a.example/4.jpg,unheard-of\n',
  ]);
  expect([...report.models]).toEqual([
    ['', 1],
    ['gpt-5,local', 2],
  ]);
});

test('rows of JSON Lines are the submissions that single requests send', async () => {
  const looked = await look('jsonl', [
    '{"image_url":"https://a.example/1.jpg","metadata":{"a":"b"}}\n\n[]\n{"image_url":\n',
    `{"image_url":"https://a.example/4.jpg","question":"${'x'.repeat(70_000)}"}\n`,
    '{"image_url":"https://a.example/5.jpg"}',
  ]);
  expect(looked.rows.map((row) => row?.image)).toEqual(
    [
      { kind: 'url', url: 'https://a.example/1.jpg' },
      null,
      null,
      null,
      { kind: 'url', url: 'https://a.example/5.jpg' },
    ].map((image) => image ?? undefined),
  );
  expect(errorsOf(looked)).toEqual([
    '2 row: is not a JSON object',
    '3 row: is not JSON',
    '4 row: is larger than 64 KiB',
  ]);
});

test('photos of an archive are rows in its order, without what operating systems add', async () => {
  const { rows, kept } = await look(
    'zip',
    writeZip([
      { name: 'one/병.jpg', bytes: photo },
      { name: '__MACOSX/one/._1.jpg', bytes: photo },
      { name: 'two.jpg', bytes: photo, deflate: true },
    ]),
  );
  expect(rows.map((row) => row?.image.kind === 'file' && row.image.name)).toEqual(['one/병.jpg', 'two.jpg']);
  expect(kept).toEqual(['photo-1', 'photo-2']);
});

test('a manifest says which photo of the archive belongs to which row', async () => {
  const manifest = Buffer.from('image,question\ntwo.jpg,What is two?\nmissing.jpg,\n');
  const looked = await look(
    'zip',
    writeZip([
      { name: 'one.jpg', bytes: photo },
      { name: 'two.jpg', bytes: photo },
      { name: 'manifest.csv', bytes: manifest, deflate: true },
    ]),
  );
  expect(looked.rows[0]).toMatchObject({
    row: 1,
    question: 'What is two?',
    image: { name: 'two.jpg', key: 'photo-1' },
  });
  expect(errorsOf(looked)).toEqual(['2 image: is not in the archive']);
});

test('what an archive must not have is refused row by row, and never unpacked', async () => {
  const bomb = Buffer.concat([photo, Buffer.alloc(8 * 2 ** 20)]);
  const looked = await look(
    'zip',
    writeZip([
      { name: 'good.jpg', bytes: photo },
      { name: 'bomb.jpg', bytes: bomb, deflate: true },
      { name: '../../etc/passwd', bytes: photo },
      { name: '/root.jpg', bytes: photo },
      { name: 'locked.jpg', bytes: photo, encrypted: true },
      { name: 'inner.zip', bytes: writeZip([{ name: 'a.jpg', bytes: photo }]) },
      { name: 'link.jpg', bytes: Buffer.from('/etc/passwd'), symbolicLink: true },
      { name: 'twice.jpg', bytes: photo },
      { name: 'TWICE.jpg', bytes: photo },
      { name: 'text.jpg', bytes: Buffer.from('no picture') },
      { name: 'empty.jpg', bytes: Buffer.alloc(0) },
      { name: 'liar.jpg', bytes: bomb, deflate: true, toldBytes: 100 },
      { name: 'damaged.jpg', bytes: photo, toldSum: 1 },
      { name: 'nowhere.jpg', bytes: photo, toldOffset: 2 ** 31 },
    ]),
  );
  expect(errorsOf(looked)).toEqual([
    '2 image: is compressed more than a photo can be',
    '3 image: has a path that leads out of the archive',
    '4 image: has a path that leads out of the archive',
    '5 image: is encrypted',
    '6 image: is an archive within the archive',
    '7 image: is a symbolic link',
    '9 image: is in the archive twice, by this name or one that differs in case alone',
    '10 image: The file is no photo.',
    '11 image: is empty',
    expect.stringMatching(/^12 image: too many bytes in the stream/),
    '13 image: is damaged: its checksum is another one than the archive tells',
    '14 image: not enough bytes in the stream. expected 30. got only 0',
  ]);
  expect(looked.kept).toEqual(['photo-1', 'photo-8']);
});

test('an archive that says it unpacks to more than the limit is refused as a whole', async () => {
  const files = Array.from({ length: 300 }, (_, i) => ({
    name: `${i}.jpg`,
    bytes: photo,
    deflate: true,
    toldBytes: 2 ** 23,
  }));
  await expect(look('zip', writeZip(files))).rejects.toThrow('unpack to more than');
});

test('an archive whose directory would fill the memory is refused', async () => {
  const comment = 'x'.repeat(60_000);
  const files = Array.from({ length: 600 }, (_, i) => ({ name: `${i}.jpg`, bytes: photo, comment }));
  await expect(look('zip', writeZip(files))).rejects.toThrow('too long');
});

test('there is a most of rows, and no input is held as a whole', async () => {
  let taken = 0;
  function* lines(count: number): Generator<string> {
    yield 'image_url,question\n';
    for (let i = 0; i < count; i += 100) {
      taken += 1;
      yield `https://a.example/${i}.jpg,${'q'.repeat(100)}\n`.repeat(100);
    }
  }
  await expect(look('csv', lines(100_000), 3_000)).rejects.toThrow('more than 3000 rows');
  // What was read beyond the limit is what the streams hold.
  expect(taken).toBeLessThan(100);
});
