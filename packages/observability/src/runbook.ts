import { emptyDashboard, numbered, runbookUid } from './dashboard.ts';
import type { Dashboard } from './grafana.ts';
import { buildText } from './panel.ts';

export interface Section {
  readonly title: string;
  readonly markdown: string;
}

/** The runbook's parts below its headings of the second level; what stands before the first of them is the introduction. */
export function sectionsOf(runbook: string): { introduction: string; sections: Section[] } {
  const [introduction = '', ...parts] = runbook.split(/^## /m);
  return {
    introduction: introduction.trim(),
    sections: parts.map((part) => {
      const end = part.indexOf('\n');
      return { title: part.slice(0, end).trim(), markdown: part.slice(end).trim() };
    }),
  };
}

/** The runbook as a dashboard, so that it is where the graphs are, however the system was installed. */
export function runbookDashboard(runbook: string): Dashboard {
  const { introduction, sections } = sectionsOf(runbook);
  const builder = emptyDashboard({
    uid: runbookUid,
    title: 'Runbook',
    description: 'What to do when an alert fires.',
  });
  builder.withPanel(buildText('How to use it', introduction.replace(/^# .*\n/, '')));
  for (const { title, markdown } of sections) builder.withPanel(buildText(title, markdown));
  return numbered(builder.build());
}
