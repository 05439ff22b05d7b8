/** What a job carries that says where it belongs, and nothing of what was asked. */
const ids = new Set(['v', 'requestId', 'deadlineAt', 'generation', 'looks']);
const cut = '(not shown)';

/**
 * What bull-board tells of jobs, without what a person, a model or an error may have put there: of the data only ids, no
 * return values, no messages, no stacks, no log lines.
 */
export function redactBoard(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => (typeof one === 'string' ? cut : redactBoard(one)));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, redactField(name, of)]));
}

function redactField(name: string, value: unknown): unknown {
  switch (name) {
    case 'data':
      // A metric has its points there.
      if (Array.isArray(value)) return value.filter((one) => typeof one === 'number');
      return typeof value === 'object' && value !== null ? pickIds(value) : null;
    case 'returnValue':
    case 'returnvalue':
      return null;
    case 'failedReason':
    case 'deferredFailure':
      return value === undefined || value === '' ? value : cut;
    case 'stacktrace':
      return [];
    case 'progress':
      return typeof value === 'number' ? value : 0;
    case 'ignoredChildFailureReasons':
      return {};
    case 'statuses':
      return value;
    default:
      return redactBoard(value);
  }
}

function pickIds(data: object): object {
  return Object.fromEntries(Object.entries(data).filter(([name]) => ids.has(name)));
}
