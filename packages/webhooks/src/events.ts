import * as z from 'zod';

/** The `webhook-id` of an event. */
export const eventIdSchema = z
  .string()
  .regex(/^evt_[0-9a-f]{32}_\d{1,15}$/)
  .meta({ description: 'The `webhook-id`: the same for every attempt to tell this event.' });

/** Something that ended, as it stands in the outbox. */
export interface OutboxEvent {
  readonly type: string;
  /** Id of what ended. */
  readonly subject: string;
  /** Which of its changes this is: something may end again after it was retried. */
  readonly seq: number;
  /** Epoch ms. */
  readonly at: number;
}

/** What a job of the queue holds. The payload is read when it is sent. */
export const webhookJobSchema = z.object({
  /** The `webhook-id`: the same for every attempt. */
  id: z.string().min(1),
  type: z.string().min(1),
  subject: z.string().min(1),
  seq: z.int(),
  at: z.int(),
  owner: z.string().min(1),
  url: z.url(),
  /** The owner asked for this one attempt: for an event of its own, or for one more beside those that are due. */
  asked: z.enum(['test', 'again']).optional(),
  /** When the attempt that comes next was due, epoch ms, where the job was put off: its age is told from then on. */
  dueAt: z.number().optional(),
});
export type WebhookJob = z.infer<typeof webhookJobSchema>;

/** What can end and whom to tell: one source a kind of thing, named by the first word of its events. */
export interface EventSource {
  /** Whom to tell; null when it is gone, or nobody wants to know. */
  addressee(subject: string): Promise<{ readonly owner: string; readonly url: string } | null>;
  /** As clients see it now, with the number of its latest change; null when it is gone. */
  read(subject: string): Promise<Subject | null>;
}

export interface Subject {
  readonly seq: number;
  readonly data: unknown;
  /** The traceparent of its trace, where it has one. */
  readonly trace?: string | undefined;
}
export type EventSources = Readonly<Record<string, EventSource>>;

/** `classification` of `classification.completed`. */
export function kindOf(type: string): string {
  return type.split('.', 1)[0] ?? '';
}

/** Reads `<type> <subject> <seq>`; null for what is none. @param at epoch ms of the event */
export function parseOutboxEntry(member: string, at: number): OutboxEvent | null {
  const [, type, subject, seq] = /^([a-z_]+\.[a-z_]+) (\w+) (\d{1,15})$/.exec(member) ?? [];
  return type && subject && seq ? { type, subject, seq: Number(seq), at } : null;
}

/** Follows from the event alone, so that an event that is queued twice is one. It has no dot, as signatures need. */
export function eventId({ subject, seq }: Pick<OutboxEvent, 'subject' | 'seq'>): string {
  return `evt_${subject.slice(subject.indexOf('_') + 1)}_${seq}`;
}
