import type { QueueGauges } from '../queue-gauges.ts';
import type { Task } from '../task.ts';

/** Looks at every queue. One on which jobs wait and nobody works is an error in the log. */
export function healthCheck({ gauges }: { gauges: Pick<QueueGauges, 'refresh'> }): Task {
  return async ({ log }) => {
    const states = await gauges.refresh();
    const unattended = states.filter(({ waiting, workers }) => waiting > 0 && workers === 0);
    for (const { queue, waiting } of unattended) log.error('jobs wait and no worker is there', { queue, waiting });
    const sum = (field: 'waiting' | 'workers') => states.reduce((total, state) => total + state[field], 0);
    return { queues: states.length, unattended: unattended.length, waiting: sum('waiting'), workers: sum('workers') };
  };
}
