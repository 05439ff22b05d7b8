import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { ended, id, open, problem, says, serve, streams } from './broken-server.ts';

const home = fileURLToPath(new URL('..', import.meta.url));

/** What an example prints, run as it stands by Node alone. */
async function run(example: string, env: Record<string, string>): Promise<string> {
  const args = ['--conditions=@bunri/source', '--no-warnings', '--input-type=module-typescript', '--eval', example];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: home, env, timeout: 60_000 });
  return stdout;
}

test('the examples of the README do what they say', async () => {
  const readme = await readFile(join(home, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code = '']) => code);
  expect(examples).toHaveLength(2);
  const answered = { ...ended, guidance: { answer: '투명 페트병에 넣으세요.' } };
  const place = { position: 2, estimated_completion: null, links: {} };
  const api = await serve([
    says(202, { ...open, ...place }),
    streams(1, 2, 'completed'),
    says(200, answered),
    problem(401, 'unauthorized'),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'bunri-client-'));
  try {
    const photo = join(folder, 'photo.jpg');
    await writeFile(photo, 'a photo');
    const env = { BUNRI_URL: api.url, BUNRI_KEY: 'k1.secret', PHOTO: photo };
    expect(await run(examples[0] ?? '', env)).toBe(
      '2 before it, expected at ?\n1 stage.started \n2 completed \ncompleted 투명 페트병에 넣으세요.\n',
    );
    expect(api.seen[0]?.body).toContain('a photo');
    expect(api.seen.map(({ path }) => path)).toContain(`/v1/classifications/${id}/events`);
    expect(await run(examples[1] ?? '', env)).toBe('unauthorized 401 Do something else. r-1\n');
  } finally {
    await rm(folder, { recursive: true });
    api.close();
  }
});
