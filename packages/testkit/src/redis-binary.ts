import { spawn } from 'node:child_process';

const servers = ['valkey-server', 'redis-server'] as const;

/**
 * Debian's and Ubuntu's `redis-tools` holds one multi-call binary under several names; started as `redis-server` it is
 * the server. Unlike the package `redis-server` it starts no daemon of its own on port 6379.
 */
const toolsBinary = 'redis-check-rdb';
const aptPackage = 'redis-tools';

/**
 * The program to start a Redis server from: `binary` if given, else Valkey or Redis on PATH, else (as root where apt-get
 * is) Redis installed with apt-get. Whatever it is, start it with argv0 `redis-server`.
 *
 * @throws an error that names every way to provide one.
 */
export async function findRedisServer(binary?: string): Promise<string> {
  if (binary !== undefined) {
    if (await isRedisServer(binary)) return binary;
    throw new Error(`${binary} is not a Redis or Valkey server that runs on this machine.`);
  }
  const present = await firstThatRuns();
  if (present !== undefined) return present;

  const isRoot = process.getuid?.() === 0;
  if (isRoot && (await run('apt-get', ['--version'])).code === 0) {
    const problem = await installWithApt();
    const installed = await firstThatRuns();
    if (installed !== undefined) return installed;
    throw new Error(`apt-get could not install ${aptPackage}:\n${problem}\n${waysToProvideOne}`);
  }
  throw new Error(`No Redis server found. ${waysToProvideOne}`);
}

const waysToProvideOne =
  'Install one (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; Fedora: dnf install valkey), ' +
  'or set REDIS_SERVER_BIN to the path of a redis-server or valkey-server program, or set REDIS_URL to a running server.';

async function firstThatRuns(): Promise<string | undefined> {
  for (const program of [...servers, toolsBinary]) {
    if (await isRedisServer(program)) return program;
  }
  return undefined;
}

async function isRedisServer(program: string): Promise<boolean> {
  const { code, output } = await run(program, ['--version'], 'redis-server');
  return code === 0 && /(redis|valkey) server v=/i.test(output);
}

/** Installs from the package lists as they are, and only if that fails fetches newer ones. Returns what apt-get said. */
async function installWithApt(): Promise<string> {
  const install = () => apt('install', '-y', '--no-install-recommends', aptPackage);

  const first = await install();
  if (first.code === 0) return first.output;
  const update = await apt('update');
  const second = await install();
  return [first, update, second].map(({ output }) => lastLines(output, 5)).join('\n');
}

/** The package lock is waited for, because two processes may start on a fresh machine at once. */
function apt(...args: string[]): Promise<{ code: number | null; output: string }> {
  return run('env', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args]);
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Runs a program to its end. A program that cannot be started has code null; its output then says why. */
function run(program: string, args: string[], argv0 = program): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { argv0, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}
