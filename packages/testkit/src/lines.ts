import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The last lines that a child process wrote, for error messages. */
export interface LineTail {
  /** Reads the stream to its end; `onLine` sees every line, also those that are no longer kept. */
  follow(stream: Readable): void;
  text(): string;
}

export function tailOfLines(keep: number, onLine: (line: string) => void = () => {}): LineTail {
  const lines: string[] = [];
  return {
    follow(stream) {
      createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
        lines.push(line);
        if (lines.length > keep) lines.shift();
        onLine(line);
      });
    },
    text: () => lines.join('\n'),
  };
}
