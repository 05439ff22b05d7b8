import { Allow, parse } from 'partial-json';

/**
 * The text of the top-level string `answer` in the beginning of a JSON document; '' as long as it has not begun, or when
 * the document is none. As the document grows, the text only grows at its end: it never shows half of an escape or half
 * of a surrogate pair. Never throws.
 */
export function partialAnswer(jsonSoFar: string): string {
  const document = parseBeginning(jsonSoFar);
  if (typeof document !== 'object' || document === null || !('answer' in document)) return '';
  const { answer } = document;
  if (typeof answer !== 'string') return '';
  // The second half of a pair may still be on its way.
  return /[\uD800-\uDBFF]$/.test(answer) ? answer.slice(0, -1) : answer;
}

function parseBeginning(json: string): unknown {
  try {
    return parse(json, Allow.ALL);
  } catch {
    // Not begun yet, or no JSON at all: the caller validates the whole document when it is complete.
    return undefined;
  }
}
