import type { ClassificationEvent } from '@bunri/client';
import type { Resource } from '@bunri/queue-contracts';
import type { BunriSystem } from './system.ts';

/** What answers without a model API, and what it cannot do. */
const builtIn = [
  'The answer below is real, and an ESTIMATE: a small model on this machine tells which of eight materials the photo shows,',
  'and the guidance is made from the disposal rules without a language model. It does not recognise things or their condition;',
  'styrofoam, film, batteries, lamps, electronics and clear or coloured PET it cannot tell. Name the thing in the question, or',
  'set OPENAI_API_KEY for a model that sees it; --simulator shows made-up answers of such a model.',
];

export type Printer = ReturnType<typeof printer>;

/** The URL of a server without user, password and the passwords among its parameters: what is printed ends in logs and in pasted questions. */
export function withoutPassword(url: string): string {
  return url.replace(/:\/\/[^/]*@/, '://***@').replace(/(password=)[^&]*/gi, '$1***');
}

/** Writes the demo's text: for people on standard output, or beside the JSON on standard error. */
export function printer({ json }: { json: boolean }) {
  const out = json ? process.stderr : process.stdout;
  const line = (text = '') => out.write(`${text}\n`);
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

  return {
    note: (text: string) => void line(text),

    system(system: BunriSystem, ms: number) {
      const kind = (embedded: boolean) => (embedded ? 'embedded' : 'given');
      line(`Redis      ${withoutPassword(system.redis.url)} (${kind(system.redis.embedded)})`);
      line(`S3         ${system.s3.endpoint} (${kind(system.s3.embedded)})`);
      if (system.modelApiUrl) line(`Model API  ${system.modelApiUrl}${system.simulator ? ' (simulator)' : ''}`);
      else line('Models     none but the local vision model; no key of a model API is set');
      line(`Apps       ${[...system.apps.keys()].join(', ')}; ready after ${seconds(ms)}`);
      if (system.simulator) {
        line('The answer below is SIMULATED: a simulator stands in for the model API and makes it up.');
      }
      if (!system.modelApiUrl) for (const text of builtIn) line(text);
      line();
    },

    question: (photo: string, question: string) => void line(`Photo: ${photo}\nQuestion: ${question}\n`),

    progress({
      type,
      stage: name = '',
      duration_ms: ms = 0,
      cached = false,
      code = '',
      reason = '',
    }: ClassificationEvent) {
      const stage = name.padEnd(12);
      if (type === 'stage.completed') line(`  ${stage} ${seconds(ms)}${cached ? '  cached' : ''}`);
      else if (type === 'stage.retrying') line(`  ${stage} will be tried again (${code})`);
      else if (type === 'stage.failed') line(`  ${stage} failed (${code}); the answer is made without it`);
      else if (type === 'stage.released') line(`  ${stage} waits again (${reason})`);
    },

    result(resource: Resource, atOnce: boolean) {
      if (atOnce) for (const { name } of resource.stages) line(`  ${name.padEnd(12)} ${seconds(0)}  cached`);
      line();
      if (json) process.stdout.write(`${JSON.stringify(resource, null, 2)}\n`);
      else printAnswer(resource, line);
    },

    keeping(system: BunriSystem) {
      line(`\nIt keeps running until Ctrl-C:`);
      line(`  api      ${system.apiUrl}/v1/classifications`);
      for (const [app, url] of system.probes) line(`  metrics  ${url}/metrics (${app})`);
    },
  };
}

function printAnswer(resource: Resource, line: (text?: string) => void): void {
  const { classification, guidance, error } = resource;
  if (error) {
    line(`Failed at ${error.stage ?? 'no stage'}: ${error.message} (${error.code})`);
    return;
  }
  if (!classification || !guidance) {
    line(`The request was ${resource.status}.`);
    return;
  }
  const percent = Math.round(classification.confidence * 100);
  const { provider, model } = classification.engine;
  const by = provider === 'simulator' ? ' · simulated' : provider === 'local' ? ` · estimated by ${model}` : '';
  line(`${classification.item_name} · ${classification.subcategory} · ${percent} %${by}`);
  for (const { engine, item_name, confidence } of classification.opinions ?? [])
    line(`  ${engine.model}: ${item_name}, ${Math.round(confidence * 100)} %`);
  line(guidance.answer);
  for (const [i, step] of guidance.steps.entries()) line(`  ${i + 1}. ${step.text} [${step.rule_ids.join(', ')}]`);
  for (const warning of guidance.warnings) line(`  ! ${warning}`);
  for (const question of guidance.missing) line(`  ? ${question}`);
  const labels = resource.clarification?.options.map(({ label }) => label) ?? [];
  if (labels.length > 0) line(`    ${labels.join(' · ')}`);
  const total = resource.stages.reduce((sum, { duration_ms: ms }) => sum + (ms ?? 0), 0);
  line(
    `\n${(total / 1000).toFixed(2)} s in ${resource.stages.length} stages${resource.cached ? ', all of it cached' : ''}. Id: ${resource.id}`,
  );
}
