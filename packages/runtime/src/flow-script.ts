import type { FlowProducer } from 'bullmq';
import type { Redis } from 'ioredis';
import { buildFlow, jobDataOf, priorityOf } from '@bunri/queue-contracts';
import { asFunction, bullScripts, type Script } from './bull-scripts.ts';

/** A command as BullMQ would send it: its keys, then its arguments, of which some are packed. */
interface Command {
  readonly name: string;
  readonly args: readonly (string | number | Buffer)[];
}

/** What is this large is a time in ms: nothing else in a flow comes near it. */
const leastTime = 1e12;

/**
 * Lua of a function `addFlow(id, data, priority, now)`, which adds the flow of an ordinary request as BullMQ does: its own
 * scripts, with the arguments that it gives them, in their order. These are read off a flow that is not sent, so that
 * nothing here knows what BullMQ's scripts are given; only what differs between requests is put in. Arguments that BullMQ
 * packs to send them go as they are.
 *
 * @param producer must be ready
 * @throws should BullMQ do it in another way
 */
export async function flowScript(redis: Redis, producer: FlowProducer): Promise<string> {
  // Not at the start of an app, which has BullMQ's own build of it.
  const { unpack } = await import('msgpackr');
  const id = `req_${'e'.repeat(32)}`;
  const example = { id, deadlineAt: 1, priority: 'interactive', turn: 123_456 } as const;
  const data = JSON.stringify(jobDataOf(example));
  const commands = await readOff(producer, async (silent) => void (await silent.add(buildFlow(example))));

  const differs = (value: unknown): string | undefined => {
    if (value === data) return 'data';
    if (value === priorityOf(example.priority, example.turn)) return 'priority';
    if (typeof value === 'number' && value >= leastTime) return 'now';
    if (typeof value !== 'string' || !value.includes(id)) return undefined;
    return value.split(id).map(quoted).join(' .. id .. ');
  };
  const find = bullScripts(redis);
  const used = new Map<string, Script>();
  for (const { name } of commands) {
    const script = find(name);
    if (!script?.numberOfKeys) throw new Error(`BullMQ adds flows by ${name}, which is no script`);
    used.set(name, script);
  }
  if (used.size === 0) throw new Error('BullMQ adds flows without any command of a transaction');
  const calls = commands.map(({ name, args }) => {
    const values = args.map((arg) => literal(Buffer.isBuffer(arg) ? unpack(arg) : arg, differs));
    const keys = used.get(name)?.numberOfKeys ?? 0;
    return `  ${name}({${values.slice(0, keys).join(', ')}}, {${values.slice(keys).join(', ')}})`;
  });
  return `
local cmsgpack = {pack = cmsgpack.pack, unpack = function(value) return value end}
${[...used].map(([name, { lua }]) => asFunction(name, lua)).join('')}
local function addFlow(id, data, priority, now)
${calls.join('\n')}
end`;
}

/** The commands that `use` would make the producer send in a transaction. */
async function readOff(producer: FlowProducer, use: (silent: FlowProducer) => Promise<void>): Promise<Command[]> {
  const commands: Command[] = [];
  const transaction = {
    runCommand: (versioned: string, args: Command['args']) => {
      commands.push({ name: versioned.replace(/:.*/, ''), args });
    },
    exec: async () => await Promise.resolve([]),
  };
  const backend = producer.getBackend() as unknown as { readonly queue: object };
  const client = Promise.resolve({ multi: () => transaction });
  const queue: unknown = Object.create(backend.queue, { client: { value: client } });
  const silent: unknown = Object.create(backend, { queue: { value: queue } });
  await use(Object.create(producer, { backend: { value: silent } }) as FlowProducer);
  return commands;
}

/** A value as Lua has it. */
function literal(value: unknown, differs: (value: unknown) => string | undefined): string {
  const own = differs(value);
  if (own !== undefined) return own;
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `{${value.map((item) => literal(item, differs)).join(', ')}}`;
  const fields = Object.entries(value).map(([name, field]) => `[${quoted(name)}] = ${literal(field, differs)}`);
  return `{${fields.join(', ')}}`;
}

function quoted(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) =>
    /[\w :{}./-]/.test(String.fromCharCode(byte)) && byte < 128
      ? String.fromCharCode(byte)
      : `\\${String(byte).padStart(3, '0')}`,
  );
  return `'${bytes.join('')}'`;
}
