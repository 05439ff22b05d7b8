import { annotationsOf, ruleFile, type Alert, type AlertGroup, type Example } from './alert.ts';
import { normalLoad } from './normal-load.ts';

const inputs = (series: Readonly<Record<string, string>>) =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }));

/** The alert as it fires in its example, its texts filled in. */
function fired(alert: Alert, { labels }: Example): object {
  const filled = (text: string) =>
    text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? '');
  const annotations = Object.entries(annotationsOf(alert)).map(([name, text]) => [name, filled(text)]);
  return {
    exp_labels: { severity: alert.severity, ...labels },
    exp_annotations: Object.fromEntries(annotations) as Record<string, string>,
  };
}

function exampleTest(alert: Alert, example: Example): object {
  const { name } = alert;
  return {
    name,
    interval: example.interval ?? '1m',
    input_series: inputs(example.series),
    alert_rule_test: [
      { eval_time: example.silentAt, alertname: name, exp_alerts: [] },
      { eval_time: example.firesAt, alertname: name, exp_alerts: [fired(alert, example)] },
    ],
  };
}

const normalMinutes = 480;

function normalTest(alerts: readonly Alert[]): object {
  const calm = (time: string) => alerts.map(({ name }) => ({ eval_time: time, alertname: name, exp_alerts: [] }));
  return {
    name: 'a normal load',
    interval: '1m',
    input_series: inputs(normalLoad(normalMinutes)),
    alert_rule_test: ['30m', '4h', '8h'].flatMap(calm),
  };
}

/**
 * What `promtool test rules` reads, by the names of the files: every alert at both ends of its example, and all of them
 * under a normal load. Each example has a file with its rule alone, as promtool evaluates all rules of a file at every
 * moment of every test in it, which would take minutes.
 */
export function ruleTestFiles(groups: readonly AlertGroup[], ruleFiles: readonly string[]): Map<string, object> {
  const alerts = groups.flatMap((group) => group.alerts);
  const files = new Map<string, object>();
  for (const alert of alerts) {
    const { name, example, otherExamples = [] } = alert;
    const rules = `${name}.rules.yaml`;
    files.set(rules, ruleFile([{ name: 'example', alerts: [alert] }]));
    for (const [index, one] of [example, ...otherExamples].entries()) {
      const tests = [exampleTest(alert, one)];
      const interval = one.interval ?? '1m';
      files.set(`${name}.${index}.test.yaml`, { rule_files: [rules], evaluation_interval: interval, tests });
    }
  }
  const tests = [normalTest(alerts)];
  return files.set('normal.test.yaml', { rule_files: ruleFiles, evaluation_interval: '5m', tests });
}
