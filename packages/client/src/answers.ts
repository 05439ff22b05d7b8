import type { Locale, RequestStatus, Resource, WasteCategory } from '@bunri/queue-contracts';

export type { Locale, RequestStatus, Resource } from '@bunri/queue-contracts';

/** Where an accepted request stands that no worker has taken yet. */
export interface Place {
  /** Requests before this one, those in work included; null where it is not known, or it is in work itself. */
  readonly position: number | null;
  /** ISO times: as likely before as after, and at 95 %. Null where nobody can tell. */
  readonly estimated_completion: { readonly p50: string; readonly p95: string } | null;
}

/** What became of a photo that was sent. */
export interface Submitted {
  readonly resource: Resource;
  /** The answer was there at once, or within the time that was waited. */
  readonly finished: boolean;
  readonly place: Place;
  /** The idempotency key had been used: this is the first request again. */
  readonly replayed: boolean;
}

/**
 * One event of a request. `seq` counts from 1 without gaps. `stage.*` tell of `stage`; `answer.delta` says that `text`
 * belongs at that character `offset` of the answer, where offset 0 starts afresh; the last one has the `resource`.
 */
export interface ClassificationEvent {
  readonly seq: number;
  /** `accepted`, `stage.started`, `answer.delta`, `completed` and others; more may come, and are to be passed over. */
  readonly type: string;
  /** ISO time. */
  readonly at: string;
  readonly stage?: string;
  readonly attempt?: number;
  readonly duration_ms?: number;
  readonly cached?: boolean;
  readonly code?: string;
  readonly reason?: string;
  readonly offset?: number;
  readonly text?: string;
  readonly resource?: Resource | null;
}

/** A rule of an item, or the item that it leads to. */
export interface ItemRule {
  readonly rule_id: string;
  readonly version: string;
  readonly kind: 'step' | 'condition' | 'prohibition' | 'exception' | 'confusion';
  readonly text: string;
  readonly source_id: string;
}

export interface Item {
  readonly id: string;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly waste_category: WasteCategory;
  readonly waste_category_name: string;
  readonly subcategory: string;
  readonly materials: readonly string[];
  readonly rules: readonly ItemRule[];
}

export interface ItemSource {
  readonly id: string;
  readonly title: string;
  readonly publisher: string;
  readonly version: string;
  readonly url?: string | undefined;
}

/** Items with their rules in one language, and the sources that the rules cite. */
export interface Items {
  readonly version: string;
  readonly locale: Locale;
  readonly items: readonly Item[];
  readonly sources: readonly ItemSource[];
}

interface Forecast {
  readonly position: number;
  readonly p50_seconds: number | null;
  readonly p95_seconds: number | null;
}

/** How much each stage has to do, and what that means for a request that would be sent now. */
export interface Queues {
  readonly queues: readonly {
    readonly name: string;
    readonly jobs: {
      readonly waiting: number;
      readonly active: number;
      readonly delayed: number;
      readonly waiting_children: number;
      readonly failed: number;
    };
    readonly paused: boolean;
    readonly slots: number;
    readonly workers: number;
    readonly oldest_waiting_seconds: number;
  }[];
  readonly estimates: { readonly interactive: Forecast; readonly batch: Forecast };
}

/** What a person says of an answer; at least one of the three. It takes the place of what was said before. */
export interface FeedbackGiven {
  readonly item_id?: string;
  readonly helpful?: boolean;
  readonly comment?: string;
}

interface DeletedPart {
  readonly removed: boolean;
  /** Why not. */
  readonly reason: string | null;
}

/** What became of everything that a request had left. */
export interface Deletion {
  readonly id: string;
  readonly status: 'deleted';
  readonly record: DeletedPart;
  readonly events: DeletedPart;
  readonly dead_letter: DeletedPart;
  readonly idempotency_key: DeletedPart;
  readonly feedback: DeletedPart;
  readonly upload: DeletedPart;
  readonly image: DeletedPart;
  readonly results: DeletedPart;
}

const ended: readonly RequestStatus[] = ['completed', 'failed', 'canceled'];

/** Whether nothing more comes of a request, unless an operator retries it. */
export function hasEnded({ status }: Pick<Resource, 'status'>): boolean {
  return ended.includes(status);
}
