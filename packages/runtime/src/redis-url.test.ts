import { describe, expect, test } from '@jest/globals';
import { redisUrlSchema, sentinelsOf } from './redis-url.ts';

describe('the URL of Redis', () => {
  test.each([
    ['redis://localhost:6379'],
    ['rediss://:secret@redis.example.com:6380/1'],
    ['redis+sentinel://:secret@mymaster?sentinels=a:26379,b:26379'],
    ['rediss+sentinel://user:secret@mymaster/2?sentinels=a&sentinelPassword=other'],
  ])('%s is taken', (url) => {
    expect(redisUrlSchema.safeParse(url).success).toBe(true);
  });

  test.each([
    ['http://localhost:6379', /url/i],
    ['redis+sentinel://mymaster', /list the sentinels/],
    ['redis+sentinel://?sentinels=a:26379', /url|name the primary/i],
    ['redis+sentinel://mymaster?sentinels=a:none', /no <host>:<port>/],
    ['redis+sentinel://mymaster?sentinals=a:26379', /sentinals/],
  ])('%s is refused with a reason', (url, reason) => {
    expect(
      redisUrlSchema
        .safeParse(url)
        .error?.issues.map(({ message }) => message)
        .join(),
    ).toMatch(reason);
  });

  test('of Sentinel tells where to ask, for which primary, with whose password', () => {
    expect(sentinelsOf('redis+sentinel://:p%40ss@mymaster/3?sentinels=a:1,b&sentinelPassword=other')).toEqual({
      sentinels: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26_379 },
      ],
      name: 'mymaster',
      db: 3,
      password: 'p@ss',
      sentinelPassword: 'other',
    });
    expect(sentinelsOf('redis://localhost:6379')).toBeNull();
  });

  test('of Sentinel with TLS asks the sentinels by TLS too, so that no password is sent in the clear', () => {
    expect(sentinelsOf('rediss+sentinel://:a@mymaster?sentinels=b&sentinelPassword=c')).toMatchObject({
      tls: {},
      sentinelTLS: {},
      enableTLSForSentinelMode: true,
    });
  });
});
