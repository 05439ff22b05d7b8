import * as z from 'zod';
import { locales, metadataSchema, modelsSchema, requestSchema, type RowError } from '@bunri/queue-contracts';

export const maxRows = 100_000;
/** A row's text is small: a question, a URL and some metadata. */
export const maxRowBytes = 64 * 2 ** 10;
export const maxDeadlineS = 86_400;

/** A row of many wrong fields must not be told at greater length than it has. */
const mostErrorsOfRow = 20;

/** What one row asks for. The image is one of the two. */
const rowFields = z.strictObject({
  image_url: z.string().max(2048).optional(),
  image: z.string().min(1).max(512).optional(),
  question: z.string().trim().max(1000).optional(),
  locale: z.enum(locales).optional(),
  region: requestSchema.shape.region,
  models: modelsSchema.optional(),
  metadata: metadataSchema.optional(),
  priority: z.literal('batch', 'can only be batch: rows of a batch are batch work').optional(),
  deadline: z.coerce.number().int().min(5).max(maxDeadlineS).optional(),
  idempotency_key: z.string().min(1).max(255).optional(),
});

/** A row as it stands in the input. */
export interface RawRow {
  /** Counts from 1. */
  readonly row: number;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** What makes it unreadable. */
  readonly problem?: string;
}

export type RowImage =
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly key: string;
      readonly sha256: string;
      readonly sizeBytes: number;
    };

/** A row that may run, as it is stored. */
export interface Row {
  readonly row: number;
  readonly image: RowImage;
  readonly question?: string | undefined;
  readonly locale?: z.infer<typeof rowFields>['locale'];
  readonly region?: string | undefined;
  readonly models?: string[] | undefined;
  readonly metadata?: Record<string, string> | undefined;
  readonly deadlineS?: number | undefined;
  readonly key?: string | undefined;
}

/** A row that is well-formed, before its image was looked at. */
export type WantedRow = Omit<Row, 'image'> & {
  readonly image: { url?: string | undefined; file?: string | undefined };
};

/** The row, or all that is wrong with it. */
export function parseRow({ row, fields, problem }: RawRow): { wanted: WantedRow } | { errors: RowError[] } {
  if (fields === undefined) return { errors: [{ row, field: 'row', message: problem ?? 'cannot be read' }] };
  const result = rowFields.safeParse(fields);
  if (!result.success) {
    return { errors: result.error.issues.flatMap((issue) => rowErrors(row, issue)).slice(0, mostErrorsOfRow) };
  }
  const { image_url: url, image: file, deadline, idempotency_key: key, priority: _batch, ...rest } = result.data;
  if ((url === undefined) === (file === undefined)) {
    const message = url === undefined ? 'is missing' : 'and image are both given; keep one';
    return { errors: [{ row, field: 'image_url', message }] };
  }
  return { wanted: { row, image: { url, file }, ...rest, deadlineS: deadline, key } };
}

function rowErrors(row: number, issue: z.core.$ZodIssue): RowError[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((field) => ({ row, field: field.slice(0, 64), message: 'is not known' }));
  const message = issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
  return [{ row, field: issue.path.join('.') || 'row', message }];
}

/** The columns of a CSV row as the fields that a JSON row would have. Empty cells count as absent. */
export function fieldsOfColumns(columns: Readonly<Record<string, string>>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const metadata: Record<string, string> = {};
  for (const [name, text] of Object.entries(columns)) {
    if (text === '') continue;
    if (name.startsWith('metadata.')) metadata[name.slice('metadata.'.length)] = text;
    else if (name === 'models')
      fields[name] = text
        .split(/[,;|]/)
        .map((model) => model.trim())
        .filter(Boolean);
    else fields[name] = text;
  }
  return Object.keys(metadata).length > 0 ? { ...fields, metadata } : fields;
}
