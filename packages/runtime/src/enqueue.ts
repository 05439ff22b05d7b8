import { FlowProducer } from 'bullmq';
import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { buildFlow, firstStage, jobDataOf, type FlowOrder } from '@bunri/queue-contracts';
import { registerAcceptScript, type AcceptAndAdd } from './accept-script.ts';
import { leanTransactions } from './lean-transactions.ts';
import type { Logger } from './log.ts';
import { oncePerMessage } from './once-per-message.ts';
import type { AcceptCarry } from './record-acceptance.ts';

/** A time-ordered id. */
export function newRequestId(): string {
  return `req_${uuid().replaceAll('-', '')}`;
}

/** What a request is queued as before its record gives it a turn. */
export type NewFlowOrder = Omit<FlowOrder, 'turn'>;

export interface FlowQueue {
  /** Adds the request's flow in one transaction. Adding it again while its jobs exist does nothing. */
  add(order: FlowOrder): Promise<void>;
  /** For a request that is yet to be accepted: takes its flow along where it is an ordinary one, and all is ready for that. */
  along(order: NewFlowOrder): AcceptCarry;
  close(): Promise<void>;
}

export interface FlowQueueOptions {
  readonly redis: Redis;
  readonly prefix: string;
  readonly log?: Logger;
}

export function createFlowQueue({ redis, prefix, log }: FlowQueueOptions): FlowQueue {
  let producer = new FlowProducer({ connection: redis, prefix });
  let ready: Promise<void> | undefined;
  let acceptAndAdd: AcceptAndAdd | null = null;

  async function prepare(): Promise<void> {
    await producer.waitUntilReady();
    // By then its scripts are registered. What cannot be read off a later BullMQ must not keep flows from going by themselves.
    acceptAndAdd = await registerAcceptScript(redis, producer).catch((error: unknown) => {
      log?.warn('no flow goes along with the acceptance of its request', { error });
      return null;
    });
    leanTransactions(redis);
  }

  async function beReady(): Promise<void> {
    ready ??= prepare().catch((error: unknown) => {
      // A producer whose first look at Redis failed never tries again by itself.
      producer = new FlowProducer({ connection: redis, prefix });
      ready = undefined;
      throw error;
    });
    await ready;
  }

  const tellOf = oncePerMessage((error) => log?.warn('a flow did not go along with its request', { error }));

  return {
    async add(order) {
      await beReady();
      await producer.add(buildFlow(order));
    },
    along(order) {
      // Nobody waits for that: until then flows go by themselves, and who adds one hears of trouble.
      if (!ready) beReady().catch(() => undefined);
      return async (keys, args) => {
        if (!acceptAndAdd || !isOrdinary(order)) return null;
        const flow = { id: order.id, data: JSON.stringify(jobDataOf(order)), now: Date.now() };
        const { record, whyNot } = await acceptAndAdd(keys, args, flow);
        if (record[0] === 'accepted' && whyNot !== undefined) tellOf(new Error(whyNot));
        return { record, queued: whyNot === undefined };
      };
    },
    async close() {
      await producer.close();
    },
  };
}

/** All stages, one look, first time. */
function isOrdinary({ generation = 0, from = firstStage, looks }: NewFlowOrder): boolean {
  return generation === 0 && from === firstStage && looks === undefined;
}
