import type { Scenario } from './scenario.ts';
import { growth } from './scenarios/growth.ts';
import { hit } from './scenarios/hit.ts';
import { idle } from './scenarios/idle.ts';
import { lookup } from './scenarios/lookup.ts';
import { normalise } from './scenarios/normalise.ts';
import { overhead } from './scenarios/overhead.ts';
import { same } from './scenarios/same.ts';
import { simulate } from './scenarios/simulate.ts';
import { slots } from './scenarios/slots.ts';
import { sse } from './scenarios/sse.ts';
import { start } from './scenarios/start.ts';
import { submit } from './scenarios/submit.ts';

/** In the order in which they are run and shown. */
export const scenarios: readonly Scenario[] = [
  overhead,
  idle,
  slots,
  normalise,
  hit,
  same,
  submit,
  sse,
  growth,
  lookup,
  start,
  simulate,
];
