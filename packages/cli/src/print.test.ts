import { expect, test } from '@jest/globals';
import { withoutPassword } from './print.ts';

test.each([
  ['redis://localhost:6379/2', 'redis://localhost:6379/2'],
  ['redis://:s3cret@localhost:6379', 'redis://***@localhost:6379'],
  ['rediss://ann:s3cret@localhost', 'rediss://***@localhost'],
  ['redis://ann:s3@cret@localhost', 'redis://***@localhost'],
  ['redis://localhost?password=s3cret&db=2', 'redis://localhost?password=***&db=2'],
  ['redis+sentinel://:s3cret@mymaster?sentinels=a,b', 'redis+sentinel://***@mymaster?sentinels=a,b'],
  [
    'redis+sentinel://mymaster?sentinelPassword=s3cret&sentinels=a',
    'redis+sentinel://mymaster?sentinelPassword=***&sentinels=a',
  ],
  ['rediss+cluster://ann:s3cret@a:7000?nodes=b:7001', 'rediss+cluster://***@a:7000?nodes=b:7001'],
])('%s is printed without its password', (url, printed) => {
  expect(withoutPassword(url)).toBe(printed);
});
