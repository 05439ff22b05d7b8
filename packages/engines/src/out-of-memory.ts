/**
 * What the programs say that find no memory: V8 at its heap limit and for buffers, Node, WebAssembly, Emscripten, the C++
 * library, onnxruntime and the kernel's ENOMEM.
 */
const complaints = new RegExp(
  [
    'heap out of memory',
    'Array buffer allocation failed',
    'ERR_MEMORY_ALLOCATION_FAILED',
    'could not allocate memory',
    'Unable to grow instance memory',
    'Cannot enlarge memory',
    'Aborted\\(OOM\\)',
    'std::bad_alloc',
    'bad allocation',
    'Failed to allocate memory',
    'Cannot allocate memory',
    'ENOMEM',
    'CUDA out of memory',
  ].join('|'),
  'i',
);

/** Whether an error, or a cause of it, says that memory was wanting. */
export function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return complaints.test(error.message) || complaints.test(code) || isOutOfMemory(error.cause);
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to standard error. */
  readonly lastWords: string;
}

/**
 * Whether a process that was to live died for want of memory. V8 says so and aborts; the kernel says nothing and kills. A
 * SIGKILL that was not our own is taken for the kernel's, as nobody else sends one in a pod.
 */
export function diedOutOfMemory({ code, signal, lastWords }: ProcessEnd): boolean {
  if (code === 0) return false;
  return signal === 'SIGKILL' || complaints.test(lastWords);
}
