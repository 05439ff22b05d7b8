import { apiKeyScopes, ownerPattern, storedKeyId, type ApiKeyIssue, type ApiKeyView } from '@bunri/runtime';
import { oneOf, parse, toCount, toDuration } from './args.ts';
import { UsageError, type Command, type CommandIo, type Program } from './command.ts';
import { programOf } from './program.ts';
import { asJson, table } from './table.ts';

const json = { type: 'boolean', default: false } as const;
const jsonOption = ['--json', 'for programs'] as const;
const mostPerMinute = 1_000_000;
const longestLabel = 100;

const create: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    owner: { type: 'string' },
    scope: { type: 'string', multiple: true },
    expires: { type: 'string' },
    rate: { type: 'string' },
    label: { type: 'string' },
    json,
  });
  if (positionals.length > 0) throw new UsageError('keys create takes only options');
  const { owner, label } = values;
  if (owner === undefined || !ownerPattern.test(owner)) {
    throw new UsageError('--owner takes 1 to 128 letters, digits, _, ., @ or -');
  }
  if (label !== undefined && label.length > longestLabel) throw new UsageError(`--label takes ${longestLabel} letters`);
  const scopes = (values.scope ?? []).flatMap((text) => text.split(','));
  if (scopes.length === 0) throw new UsageError(`--scope takes one of ${apiKeyScopes.join(', ')}; give at least one`);
  const given = {
    owner,
    label,
    scopes: scopes.map((scope) => oneOf('--scope', scope, apiKeyScopes)),
    ratePerMinute: values.rate === undefined ? undefined : toCount('--rate', values.rate, mostPerMinute),
  };
  const lifeMs = values.expires === undefined ? undefined : toLife('--expires', values.expires);
  const { apiKeys } = await open();
  const issue = await apiKeys.create({ ...given, lifeMs }, io.actor);
  printIssue(issue, values.json, io);
  if ((await apiKeys.listeners()) === 0) {
    io.err('bunri: no running api takes keys from Redis; it does where API_KEYS_IN_REDIS=true');
  }
  return 0;
};

/** The key alone on standard output, so that a script can store it without looking for it. */
function printIssue({ key, presented, told }: ApiKeyIssue, json: boolean, io: CommandIo): void {
  if (json) {
    io.out(asJson({ key: presented, ...key, told }));
    return;
  }
  io.err(`${key.id} of ${key.owner} (${key.scopes.join(', ')})${until(key.expires_at)}`);
  if (key.old_secret_until !== null) io.err(`The secret before it is valid until ${key.old_secret_until}.`);
  io.err('The key, which is shown this once:');
  io.out(presented);
}

function until(time: string | null): string {
  return time === null ? '' : `, until ${time}`;
}

const list: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { owner: { type: 'string' }, all: json, json });
  if (positionals.length > 0) throw new UsageError('keys list takes only options');
  const { apiKeys, prefix } = await open();
  const wanted = (key: ApiKeyView) =>
    (values.all || key.state === 'active') && (values.owner === undefined || key.owner === values.owner);
  const all = await apiKeys.list();
  const keys = all.filter(wanted);
  if (values.json) io.out(asJson({ data: keys }));
  else if (keys.length === 0)
    io.out(`No keys under ${prefix}${all.length > 0 ? ' that fit; --all shows ended ones' : ''}.`);
  else for (const line of table(head, keys.map(toRow))) io.out(line);
  return 0;
};

const head = ['ID', 'OWNER', 'SCOPES', 'STATE', 'RATE', 'CREATED', 'EXPIRES', 'LAST USED', 'LABEL'];

function toRow(key: ApiKeyView): string[] {
  const day = (time: string | null, none: string) => time?.slice(0, 10) ?? none;
  const state = key.old_secret_until === null ? key.state : `${key.state}, two secrets`;
  const used = key.last_used_at?.slice(0, 16).replace('T', ' ') ?? 'never';
  const rate = key.rate_per_minute === null ? 'default' : `${key.rate_per_minute}/min`;
  const days = [day(key.created_at, '-'), day(key.expires_at, 'never')];
  return [key.id, key.owner, key.scopes.join(','), state, rate, ...days, used, key.label ?? ''];
}

const rotate: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    overlap: { type: 'string', default: '24h' },
    expires: { type: 'string' },
    json,
  });
  const id = onlyKeyId(positionals);
  const overlapMs = toDuration('--overlap', values.overlap);
  const lifeMs = values.expires === undefined ? undefined : toLife('--expires', values.expires);
  const { apiKeys } = await open();
  printIssue(await apiKeys.rotate(id, { overlapMs, lifeMs }, io.actor), values.json, io);
  return 0;
};

const revoke: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json });
  const id = onlyKeyId(positionals);
  const { apiKeys } = await open();
  const { key, told } = await apiKeys.revoke(id, io.actor);
  if (values.json) io.out(asJson({ ...key, told }));
  else io.out(`${id} of ${key.owner} is revoked: at once in ${told} running api processes, within 5 s in any other.`);
  return 0;
};

function toLife(option: string, text: string): number {
  const lifeMs = toDuration(option, text);
  if (lifeMs > 0) return lifeMs;
  throw new UsageError(`${option} takes a time to live above 0`);
}

/** Never quoted: it may be a whole key, pasted by mistake. */
function onlyKeyId(positionals: string[]): string {
  const [id = '', ...more] = positionals;
  if (storedKeyId.test(id) && more.length === 0) return id;
  throw new UsageError('give one key id: bunri_ and 20 hex digits, without the secret that follows the dot');
}

const expiresOption = ['--expires <90d>', 'time to live; without it the key lives until it is revoked'] as const;

/** `bunri keys`. */
export const keys: Program = programOf({
  name: 'keys',
  does: 'API keys in Redis, which the api accepts where API_KEYS_IN_REDIS=true. Every change is kept in the audit.',
  sections: {
    '': {
      create: {
        takes: '--owner <owner> --scope <scope>',
        does: 'makes a key and prints it, once',
        options: [
          ['--owner <owner>', 'whose requests it sends and reads'],
          ['--scope <scope>', 'submit, read or admin, which may do both; may be repeated'],
          expiresOption,
          ['--rate <count>', 'requests a minute; without it what RATE_LIMIT_PER_MINUTE gives every key'],
          ['--label <text>', 'a note for people'],
          jsonOption,
        ],
        notes: ['The key goes to standard output alone. Redis keeps its SHA-256: a lost key cannot be shown again.'],
        run: create,
      },
      list: {
        takes: '',
        does: 'shows the keys, never their secrets',
        options: [['--owner <owner>', 'of this owner'], ['--all', 'revoked and expired ones too'], jsonOption],
        run: list,
      },
      rotate: {
        takes: '<id>',
        does: 'gives a key a new secret; the old one stays valid for the overlap',
        options: [
          ['--overlap <24h>', 'how long the old secret is valid still; 0s ends it now'],
          expiresOption,
          jsonOption,
        ],
        run: rotate,
      },
      revoke: {
        takes: '<id>',
        does: 'ends a key for good, in every api process within 5 s',
        options: [jsonOption],
        notes: ['Answers that are on their way, such as an open stream of events, end by themselves.'],
        run: revoke,
      },
    },
  },
});
