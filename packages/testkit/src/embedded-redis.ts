import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { killWithParent } from './kill-with-parent.ts';
import { tailOfLines } from './lines.ts';
import { findRedisServer } from './redis-binary.ts';
import { patienceMs } from './until.ts';

export interface RedisOptions {
  /** Path or name of the server program; without it one is looked for and, where that is possible, installed. */
  readonly binary?: string | undefined;
  /** Write an append-only file, synced every second. Default false. */
  readonly appendOnly?: boolean;
  /** How often a second Redis looks after its timers. Default 100: delayed jobs are then late by 6 ms, not by 60. */
  readonly hz?: number;
  /** A directory for the append-only file that outlives the server. Default: a temporary one, removed by `stop`. */
  readonly dir?: string;
  /** A fixed port, to start again where clients expect the server. Default: a free one. */
  readonly port?: number;
  /** Settings as in redis.conf, beside those above. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server and removes its temporary directory. May be called twice. */
  stop(): Promise<void>;
}

const portAttempts = 5;
const stopTimeoutMs = 5_000;

/**
 * Starts a private Redis server on loopback that never evicts a key, and waits until it answers.
 *
 * It ends with this process, however that ends; a process that may be ended by a signal calls `stop`, so that no temporary
 * directory stays behind.
 */
export async function startRedis(options: RedisOptions = {}): Promise<EmbeddedRedis> {
  const program = await findRedisServer(options.binary);
  const attempts = options.port === undefined ? portAttempts : 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnPort(program, options.port ?? (await freePort()), options);
    } catch (error) {
      // Somebody else may have taken the port since it was seen free.
      if (!(error instanceof PortTaken) || attempt >= attempts) throw error;
    }
  }
}

class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

async function startOnPort(program: string, port: number, options: RedisOptions): Promise<EmbeddedRedis> {
  const temporaryDir = options.dir === undefined ? await mkdtemp(join(tmpdir(), 'bunri-redis-')) : undefined;
  const dir = options.dir ?? temporaryDir ?? '';
  const child = spawn(program, serverArgs(port, dir, options), {
    argv0: 'redis-server',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = tailOfLines(20);
  log.follow(child.stdout);
  log.follow(child.stderr);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });

  killWithParent(child);
  const clearUp = () => {
    if (temporaryDir !== undefined) rmSync(temporaryDir, { recursive: true, force: true });
  };
  process.once('exit', clearUp);
  const stop = async () => {
    await endChild(child, ended);
    process.off('exit', clearUp);
    if (temporaryDir !== undefined) await rm(temporaryDir, { recursive: true, force: true });
  };

  try {
    await untilReady(child, port);
  } catch (error) {
    await stop();
    const text = `The Redis server ${program} did not start on port ${port}:\n${log.text()}`;
    if (/address already in use|could not create server tcp listening socket/i.test(log.text())) {
      throw new PortTaken(text, { cause: error });
    }
    throw new Error(text, { cause: error });
  }
  return { url: `redis://127.0.0.1:${port}`, port, pid: child.pid ?? 0, stop };
}

function serverArgs(port: number, dir: string, options: RedisOptions): string[] {
  const { appendOnly = false, hz = 100 } = options;
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir,
    save: '',
    appendonly: appendOnly ? 'yes' : 'no',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    hz: String(hz),
    daemonize: 'no',
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Waits until the server that answers on the port is the child, and not somebody else's that was faster. */
async function untilReady(child: ChildProcess, port: number): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (performance.now() < giveUpAt) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error('the server ended while it was being started');
    }
    const answer = await ask(port, 'PING\r\nINFO server\r\n', /process_id:(\d+)/);
    if (answer?.startsWith('+PONG') && answer.includes(`process_id:${child.pid}\r`)) return;
    await delay(10);
  }
  throw new Error(`the server did not answer within ${patienceMs} ms`);
}

/** Sends inline commands and gives what came back once it matches; undefined if the connection fails or says nothing. */
function ask(port: number, commands: string, complete: RegExp): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 }, () => socket.write(commands));
    const finish = (result: string | undefined) => {
      socket.destroy();
      resolve(result);
    };
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (complete.test(answer) || answer.startsWith('-')) finish(answer);
    });
    socket.once('timeout', () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => finish(undefined));
  });
}

async function endChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(killer);
}
