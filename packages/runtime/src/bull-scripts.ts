import type { Redis } from 'ioredis';

/** A script as ioredis keeps it. */
export interface Script {
  readonly lua: string;
  readonly numberOfKeys: number | null;
}

/** Finds scripts that BullMQ has registered on a connection, those that `leanTransactions` hides too, by the command's name without its version. */
export function bullScripts(redis: Redis): (command: string) => Script | undefined {
  const { scriptsSet } = redis as unknown as { readonly scriptsSet: Readonly<Record<string, Script>> };
  const names = Object.getOwnPropertyNames(scriptsSet);
  return (command) => scriptsSet[names.find((name) => name.startsWith(`${command}:`)) ?? ''];
}

/** As functions, scripts find their keys and arguments where they expect them. */
export function asFunction(name: string, lua: string): string {
  return `
local function ${name}(KEYS, ARGV)
${lua}
end`;
}
