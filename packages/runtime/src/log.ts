import winston from 'winston';
import { activeTraceId } from './tracing.ts';

export type Logger = winston.Logger;

/** One JSON object a line on standard output, with the trace that it belongs to, where there is one. Bind ids with `logger.child({ … })`; never log a payload, a key or an image. */
export function createLogger(options: { app: string; level: string; silent?: boolean }): Logger {
  return winston.createLogger({
    level: options.level,
    silent: options.silent ?? false,
    defaultMeta: { app: options.app },
    format: jsonLine(),
    transports: [new winston.transports.Console()],
  });
}

/** Where winston's transports find the text of a line (triple-beam). */
const text = Symbol.for('message');
/** For what JSON cannot hold: a cycle, a bigint. */
const carefulJson = winston.format.json();

/** Time, error and text in one format: as a chain of winston's own a line costs twice as much. */
const jsonLine = winston.format((info) => {
  const error = info['error'];
  if (error instanceof Error) info['error'] = describeError(error);
  info['timestamp'] = new Date().toISOString();
  const traceId = activeTraceId();
  if (traceId !== undefined) info['trace_id'] = traceId;
  try {
    info[text] = JSON.stringify(info);
  } catch {
    return carefulJson.transform(info, {});
  }
  return info;
});

/** JSON.stringify makes `{}` of an Error: keep its name, message, code and stack, and those of its cause. */
function describeError(error: Error): Record<string, unknown> {
  return {
    name: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
  };
}
