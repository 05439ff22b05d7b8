import { Allow, parse } from 'partial-json';
import { parseJson } from './parse-json.ts';

/**
 * The text of the top-level string `answer` in the beginning of a JSON document; '' as long as it has not begun, or when
 * the document is none. As the document grows, the text only grows at its end: it never shows half of an escape or half
 * of a surrogate pair. Never throws.
 */
export function partialAnswer(jsonSoFar: string): string {
  return leadingAnswer(jsonSoFar) ?? answerIn(jsonSoFar);
}

/** The answer where it stands first, as the schema has it: whole characters and whole escapes, to its end or to the cut. */
const answerFirst = /^\s*\{\s*"answer"\s*:\s*("(?:[^"\\]+|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*)/;

function leadingAnswer(json: string): string | undefined {
  const written = answerFirst.exec(json)?.[1];
  const answer = written === undefined ? undefined : parseJson(`${written}"`);
  return typeof answer === 'string' ? withoutHalf(answer) : undefined;
}

function answerIn(json: string): string {
  const document = parseBeginning(json);
  if (typeof document !== 'object' || document === null || !('answer' in document)) return '';
  const { answer } = document;
  if (typeof answer !== 'string') return '';
  return withoutHalf(answer);
}

const half = /[\uD800-\uDBFF]$/;

/** The second half of a surrogate pair may still be on its way. */
function withoutHalf(text: string): string {
  return half.test(text) ? text.slice(0, -1) : text;
}

function parseBeginning(json: string): unknown {
  try {
    return parse(json, Allow.ALL);
  } catch {
    // Not begun yet, or no JSON at all: the caller validates the whole document when it is complete.
    return undefined;
  }
}
