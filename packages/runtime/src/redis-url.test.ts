import { describe, expect, test } from '@jest/globals';
import { clusterOf, redisUrlSchema, sentinelsOf } from './redis-url.ts';

describe('the URL of Redis', () => {
  test.each([
    ['redis://localhost:6379'],
    ['rediss://:secret@redis.example.com:6380/1'],
    ['redis+sentinel://:secret@mymaster?sentinels=a:26379,b:26379'],
    ['rediss+sentinel://user:secret@mymaster/2?sentinels=a&sentinelPassword=other'],
    ['redis+cluster://redis.example.com'],
    ['rediss+cluster://user:secret@a:6380/?nodes=b:6380,c'],
  ])('%s is taken', (url) => {
    expect(redisUrlSchema.safeParse(url).success).toBe(true);
  });

  test.each([
    ['http://localhost:6379', /url/i],
    ['redis+sentinel://mymaster', /list the sentinels/],
    ['redis+sentinel://?sentinels=a:26379', /url|name the primary/i],
    ['redis+sentinel://mymaster?sentinels=a:none', /no <host>:<port>/],
    ['redis+sentinel://mymaster?sentinals=a:26379', /sentinals/],
    ['redis+cluster://?nodes=a:6379', /url|name a node/i],
    ['redis+cluster://a:6379/2', /no databases by number/],
    ['redis+cluster://a:0', /port 0/],
    ['redis+cluster://a:6379?nodes=b:99999', /no <host>:<port>/],
    ['redis+cluster://a:6379?sentinels=b', /nothing reads: sentinels/],
    ['redis+clusters://a:6379', /url/i],
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

  test('of a cluster tells whom to ask where the keys are, with which password', () => {
    expect(clusterOf('redis+cluster://ann:p%40ss@a?nodes=b:7000,[::1]:7001')).toEqual({
      nodes: [
        { host: 'a', port: 6_379 },
        { host: 'b', port: 7_000 },
        { host: '::1', port: 7_001 },
      ],
      username: 'ann',
      password: 'p@ss',
      tls: false,
    });
    expect(clusterOf('rediss+cluster://[::1]:7000')).toEqual({ nodes: [{ host: '::1', port: 7_000 }], tls: true });
    expect(clusterOf('redis://localhost:6379')).toBeNull();
  });
});
