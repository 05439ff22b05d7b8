import type { Program } from '../command.ts';
import { programOf } from '../program.ts';
import { clearPrefix } from './clear.ts';
import { describeQueue } from './describe.ts';
import { drainQueue } from './drain.ts';
import { listFailed, purgeFailed, retryFailed } from './failed.ts';
import { pauseQueue, resumeQueue } from './pause.ts';
import { checkRedis } from './redis-check.ts';
import { diffReplay, replayRequest } from './requests.ts';
import { showRequest, showResults, showStates } from './show.ts';
import { showStatus } from './status.ts';

const json = ['--json', 'for programs'] as const;
const deadline = ['--deadline <3600>', 'seconds until the new deadline'] as const;
const question = ['--show-question', 'what the client asked, too'] as const;
const filters = [
  ['--code <code>', 'failed with this code'],
  ['--stage <stage>', 'failed in this stage, or waited for it at its deadline'],
  ['--owner <owner>', 'of this owner'],
  ['--since <2h|date>', 'failed then or later'],
  ['--until <2h|date>', 'failed then or before'],
] as const;
const which = '<id...>|<filter>|--all';

const ofQueues = {
  status: {
    takes: '',
    does: 'shows every queue: what waits by class, what runs, how old, how fast, with how many workers',
    options: [
      ['--watch', 'again and again, until Ctrl-C; a line or table at a time where there is no terminal'],
      ['--interval <2s>', 'between two looks'],
      ['--check', 'exit code 1 where a queue is paused, or has work and no workers'],
      json,
    ],
    run: showStatus,
  },
  describe: {
    takes: '<queue>',
    does: 'shows the settings, workers and rates of a queue, what runs longest and what is next',
    options: [json],
    run: describeQueue,
  },
  pause: {
    takes: '<queue>',
    does: 'stops workers of every process from taking jobs, and waits for those that run',
    options: [['--wait <60s>', 'how long to wait for them; 0s does not'], json],
    notes: ['It lasts until resume. Requests go on being accepted, and end at their deadlines.'],
    run: pauseQueue,
  },
  resume: { takes: '<queue>', does: 'lets a paused queue go on', options: [json], run: resumeQueue },
  drain: {
    takes: '<stage>',
    does: 'ends the requests that wait in a stage with the error ended_by_operator, and removes their jobs',
    options: [['--yes', 'do not ask'], json],
    notes: [
      'Their owners get the error; as dead letters they can be run again: retry --code ended_by_operator.',
      'Delayed jobs, which wait for their next attempt, are among them; what runs goes on.',
      'The queue is paused meanwhile: should this be cut off, status shows it, and resume lets it go on.',
    ],
    run: drainQueue,
  },
} as const;

const ofRequests = {
  show: {
    takes: '<request-id>',
    does: 'shows a request: its stages and attempts, the tree of its jobs, their times, reasons and logs',
    options: [question, json],
    run: showRequest,
  },
  states: {
    takes: '<request-id>',
    does: 'one line a stage: its state and that of its job',
    options: [json],
    run: showStates,
  },
  results: {
    takes: '<request-id>',
    does: 'what the stages found, as JSON; exit code 1 where the request is not completed',
    options: [json],
    run: showResults,
  },
  replay: {
    takes: '<request-id>',
    does: 'runs a finished request again, to compare',
    options: [
      ['--vision-model <model>', 'looks at the photo instead of the configured one'],
      ['--llm-model <model>', 'writes the guidance; alone, what was seen is taken over'],
      deadline,
      ['--wait', 'follow it and print the comparison'],
      json,
    ],
    run: replayRequest,
  },
  diff: {
    takes: '<replay-id>',
    does: 'shows what a replay changed, and what it cost',
    options: [json],
    run: diffReplay,
  },
} as const;

const ofFailed = {
  failed: {
    takes: '[filter]',
    does: 'lists requests that failed on our side and may be retried, newest first',
    options: [...filters, ['--limit <50>', 'at most so many'], json],
    run: listFailed,
  },
  retry: {
    takes: which,
    does: 'runs them again, from the stage that failed on',
    options: [...filters, ['--all', 'all of them'], deadline, ['--priority <batch>', 'interactive or batch'], json],
    run: retryFailed,
  },
  purge: {
    takes: which,
    does: 'removes them; uploads and images stay until their own retention ends',
    options: [...filters, ['--all', 'all of them'], ['--yes', 'do not ask'], json],
    run: purgeFailed,
  },
} as const;

const ofRedis = {
  redis: {
    takes: '',
    does: 'checks the connection and the settings of Redis; exit code 1 where one of them must be changed',
    options: [json],
    run: checkRedis,
  },
  clear: {
    takes: '',
    does: 'removes everything under REDIS_PREFIX, once the prefix has been typed',
    options: [['--confirm <prefix>', 'the prefix, typed beforehand'], json],
    notes: [
      'Refused where NODE_ENV or BUNRI_ENV is production, and while a worker runs, or an api that delivers webhooks or takes',
      'keys from Redis; stop any other api yourself. Nothing else in Redis is touched.',
      'API keys and the audit go as well; what remains is the audit line of the clearing.',
    ],
    run: clearPrefix,
  },
} as const;

/** `bunri queues`. */
export const queues: Program = programOf({
  name: 'queues',
  does: 'Looks at queues and requests, and repairs them. What changes something is kept in the audit.',
  sections: {
    'Queues:': ofQueues,
    'One request:': ofRequests,
    'Requests that failed:': ofFailed,
    'Redis:': ofRedis,
  },
});
