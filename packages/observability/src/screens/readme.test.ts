import { expect, test } from '@jest/globals';
import { readDashboard } from './dashboard-file.ts';
import { exampleAnswers, exampleDashboard } from './example-fixture.ts';
import { phases } from './phases.ts';
import { readme } from './readme.ts';
import { viewOf } from './views.ts';

test('the pictures say who drew them, of which load, and which panels had nothing to show', () => {
  const view = viewOf(readDashboard(JSON.stringify(exampleDashboard)), exampleAnswers, []);
  const text = readme({
    screens: [{ uid: 'example', view }],
    phases,
    report: {
      beginnings: phases.map((_, index) => index * 60_000),
      ends: new Map([
        ['failed', 1],
        ['completed', 9],
      ]),
    },
    shown: { from: 0, to: 480 },
    scrapeS: 10,
    rateS: 40,
    timeZone: 'Asia/Seoul',
  });
  expect(text).toContain("**These pictures are not Grafana's.**");
  expect(text).toContain('Shown: 1970-01-01 09:00:00 to 1970-01-01 09:08:00, Asia/Seoul');
  for (const { says } of phases) expect(text).toContain(says);
  expect(text).toContain('| 09:01:00 | 0.8 to 4 |');
  expect(text).toContain('Single requests: 10');
  expect(text).toContain('bunri / Example: Nothing');
  expect(text).toContain('![bunri / Example](example.png)');
});

test('the phases are the whole load', () => {
  expect(phases.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
});
