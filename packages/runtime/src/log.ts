import winston from 'winston';

export type Logger = winston.Logger;

/** One JSON object a line on standard output. Bind ids with `logger.child({ … })`; never log a payload, a key or an image. */
export function createLogger(options: { app: string; level: string; silent?: boolean }): Logger {
  return winston.createLogger({
    level: options.level,
    silent: options.silent ?? false,
    defaultMeta: { app: options.app },
    format: winston.format.combine(winston.format.timestamp(), flattenError(), winston.format.json()),
    transports: [new winston.transports.Console()],
  });
}

/** JSON.stringify makes `{}` of an Error: keep its name, message, code and stack, and those of its cause. */
const flattenError = winston.format((info) => {
  const error = info['error'];
  if (error instanceof Error) info['error'] = describeError(error);
  return info;
});

function describeError(error: Error): Record<string, unknown> {
  return {
    name: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
  };
}
