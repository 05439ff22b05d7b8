/**
 * What users are promised. The dashboards draw these lines, and the alerts tell when they are passed. The seconds of the
 * whole way are an upper bound of a class of `bunri_request_duration_seconds`.
 */
export const objectives = {
  /** Of the requests that were not the client's fault, the share that is answered. */
  answered: 0.995,
  /** Of the answered interactive requests, the share that is answered within `seconds`. */
  inTime: { share: 0.95, seconds: 30 },
  /** How old the oldest waiting job of a class may be, in seconds. */
  oldestSeconds: { interactive: 30, batch: 3600 },
  /** How long an event may wait, in seconds, before somebody begins to tell it. */
  webhookSeconds: 120,
  /** How long a batch may be open, in seconds: the longest deadline, and the time to close what is past it. */
  batchOpenSeconds: 26 * 3600,
} as const;
