import { Readable } from 'node:stream';
import { parse, type CsvError } from 'csv-parse';
import { fieldsOfColumns, maxRowBytes, type RawRow } from './row.ts';

/** The input cannot be read at all. The message says why, and is shown to the client. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/**
 * The rows of CSV (RFC 4180) with a header line, in UTF-8. A row that does not fit the header is told as such; a quote that
 * is never closed ends the reading, since nobody can tell where the next row would begin.
 *
 * @throws InputError
 */
export async function* readCsv(input: Readable): AsyncGenerator<RawRow> {
  const parser = parse({ max_record_size: maxRowBytes, relax_column_count: true, skip_empty_lines: true });
  const text = Readable.from(decode(input));
  text.on('error', (error) => parser.destroy(error));
  text.pipe(parser);
  let header: string[] | undefined;
  let row = 0;
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      if (!header) {
        header = checkHeader(cells);
        continue;
      }
      row += 1;
      const names = header;
      if (cells.length === names.length) {
        yield { row, fields: fieldsOfColumns(Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']))) };
      } else {
        yield { row, problem: `has ${cells.length} cells where the header has ${names.length}` };
      }
    }
  } catch (error) {
    if (!isCsvError(error)) throw error;
    throw new InputError(`The CSV cannot be read after row ${row}: ${csvTrouble(error)}.`, { cause: error });
  } finally {
    text.destroy();
    input.destroy();
    parser.destroy();
  }
  if (!header) throw new InputError('The input is empty. Send a header line and a line for each row.');
}

/** Its text, without a byte order mark. @throws InputError for bytes that are not UTF-8, such as those of CP949 or UTF-16 */
async function* decode(input: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of input as AsyncIterable<Uint8Array>) yield decodeBytes(decoder, chunk);
  yield decodeBytes(decoder);
}

function decodeBytes(decoder: InstanceType<typeof TextDecoder>, chunk?: Uint8Array): string {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch (error) {
    throw new InputError('The input is not in UTF-8. Save it as UTF-8, and send it again.', { cause: error });
  }
}

/** More than any row has; every row pays for each. */
const maxColumns = 100;

function checkHeader(cells: string[]): string[] {
  if (cells.length > maxColumns) throw new InputError(`The header has more than ${maxColumns} columns.`);
  const names = cells.map((cell) => cell.trim());
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new InputError(`The header has the column ${JSON.stringify(twice.slice(0, 64))} twice.`);
  if (!names.includes('image_url') && !names.includes('image')) {
    throw new InputError('The header has no column image_url. The first line must name the columns.');
  }
  return names;
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_');
}

function csvTrouble({ code }: CsvError): string {
  if (code === 'CSV_MAX_RECORD_SIZE')
    return `the next one is larger than ${maxRowBytes / 1024} KiB, or a quote is not closed`;
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quote is not closed';
  return 'a quote stands where none may be; double quotes within a cell are written twice';
}

/** The rows of JSON Lines. Empty lines are passed over; a line that is no object is told as such. */
export async function* readJsonLines(input: Readable): AsyncGenerator<RawRow> {
  let row = 0;
  for await (const line of linesOf(input)) {
    if (line === tooLong) {
      row += 1;
      yield { row, problem: `is larger than ${maxRowBytes / 1024} KiB` };
      continue;
    }
    const text = line.trim();
    if (text === '') continue;
    row += 1;
    yield parseLine(row, text);
  }
  if (row === 0) throw new InputError('The input is empty. Send a JSON object a line.');
}

function parseLine(row: number, text: string): RawRow {
  try {
    const fields = JSON.parse(text) as unknown;
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
      return { row, fields: fields as Record<string, unknown> };
    }
  } catch {
    return { row, problem: 'is not JSON' };
  }
  return { row, problem: 'is not a JSON object' };
}

const tooLong = Symbol('too long');

/** Lines without their ends. Of one that is too long nothing is held. */
async function* linesOf(input: Readable): AsyncGenerator<string | typeof tooLong> {
  let rest = '';
  let dropping = false;
  for await (const text of decode(input)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (dropping || line.length > maxRowBytes) yield tooLong;
      else yield line;
      dropping = false;
    }
    if (rest.length > maxRowBytes) {
      dropping = true;
      rest = '';
    }
  }
  if (dropping) yield tooLong;
  else if (rest !== '') yield rest;
}
