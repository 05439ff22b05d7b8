import { Counter, Gauge, type Registry } from 'prom-client';

/** The instruments of batches; only the api moves them. */
export function batchMetrics(registers: Registry[]) {
  const gauge = (name: string, help: string) => {
    const made = new Gauge({ name, help, registers });
    // Without its first value, 0, which every process would show although the api alone measures.
    made.remove();
    return made;
  };
  return {
    batchRows: new Counter({
      name: 'bunri_batch_rows_total',
      help: 'Rows of batches by how they ended: completed, failed, canceled; a row that runs again counts again.',
      labelNames: ['outcome'],
      registers,
    }),
    batchesOpen: gauge('bunri_batches_open', 'Batches that have anything to do; every api process tells the same.'),
    batchOldestSeconds: gauge(
      'bunri_batch_oldest_seconds',
      'Age of the oldest open batch, since it was created or resumed; 0 when none is open.',
    ),
  };
}
