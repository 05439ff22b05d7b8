import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The instruments of webhooks. */
export function webhookMetrics(registers: Registry[]) {
  const gauge = (name: string, help: string) => {
    const made = new Gauge({ name: `bunri_webhook_${name}`, help, registers });
    // Without its first value, 0, which every process would show although the scheduler alone measures.
    made.remove();
    return made;
  };
  return {
    webhookDeliveries: new Counter({
      name: 'bunri_webhook_deliveries_total',
      help: 'Attempts to tell an event by outcome: delivered, retried, exhausted, gone, forbidden, paused, and what needs none: lost, superseded.',
      labelNames: ['outcome'],
      registers,
    }),
    webhookAttemptSeconds: new Histogram({
      name: 'bunri_webhook_attempt_seconds',
      help: "Time of one attempt to tell an event, the receiver's answer included.",
      buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
      registers,
    }),
    outboxEvents: gauge('outbox_events', 'Events that wait in the outbox to be queued.'),
    outboxOldestSeconds: gauge(
      'outbox_oldest_seconds',
      'How long the oldest event has waited to be queued; 0 when none waits.',
    ),
  };
}
