import { canInstall, installWithApt, run } from './apt.ts';

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

  if (await canInstall()) {
    const problem = await installWithApt(aptPackage);
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
