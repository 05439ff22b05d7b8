import type { Scenario } from './scenario.ts';
import { idle } from './scenarios/idle.ts';
import { overhead } from './scenarios/overhead.ts';

/** In the order in which they are run and shown. */
export const scenarios: readonly Scenario[] = [overhead, idle];
