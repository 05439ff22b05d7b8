/** A history in which an alert stays silent until it fires, in the notation of `promtool test rules`. */
export interface Example {
  /** Values of each series, one for each interval from the start on, as `0x5 40x10`. */
  readonly series: Readonly<Record<string, string>>;
  /** Between two values. Default 1m. */
  readonly interval?: string;
  /** The last moment at which it has not fired yet, and the first at which it has. */
  readonly silentAt: string;
  readonly firesAt: string;
  /** Of the alert that fires, besides its severity. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Alert {
  /** Also the heading of its section in the runbook. */
  readonly name: string;
  /** `critical` wakes somebody up: users notice, or will within the hour. `warning` waits for the day. */
  readonly severity: 'critical' | 'warning';
  readonly expr: string;
  /** For how long the condition holds before anybody is told. */
  readonly for: string;
  /** What is wrong, for users first. Labels of the expression may stand in it as `{{ $labels.queue }}`. */
  readonly summary: string;
  /** What it means, and what it is measured by. */
  readonly description: string;
  readonly example: Example;
  /** Of an alert with several conditions: an example of each but the first. */
  readonly otherExamples?: readonly Example[];
}

export interface AlertGroup {
  readonly name: string;
  readonly alerts: readonly Alert[];
}

/** Where the runbook is, as the generated files have it. The chart puts the address of an installation in its place. */
export const runbookFile = 'RUNBOOK.md';

/** The address of an alert's section, as Markdown viewers name it. */
export function runbookAddress({ name }: Pick<Alert, 'name'>): string {
  return `${runbookFile}#${name.toLowerCase()}`;
}

/** Everything that is told of an alert, besides its labels. */
export function annotationsOf(alert: Alert): Record<'summary' | 'description' | 'runbook_url', string> {
  const { summary, description } = alert;
  return { summary, description, runbook_url: runbookAddress(alert) };
}

/** The groups in the form of Prometheus's rule files. */
export function ruleFile(groups: readonly AlertGroup[]): object {
  return {
    groups: groups.map(({ name, alerts }) => ({
      name: `bunri.${name}`,
      rules: alerts.map((alert) => ({
        alert: alert.name,
        expr: alert.expr,
        for: alert.for,
        labels: { severity: alert.severity },
        annotations: annotationsOf(alert),
      })),
    })),
  };
}

/**
 * That the series a selector picks have grown within a window, summed by labels. `increase` alone does not see the first
 * count of a series, as a counter of failures has none before its first failure.
 */
export function grew(selector: string, window: string, by: string): string {
  return `sum by (${by}) (increase(${selector}[${window}])) > 0 or sum by (${by}) (${selector} unless ${selector} offset ${window}) > 0`;
}
