import { FlowProducer } from 'bullmq';
import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { buildFlow, type FlowOrder } from '@bunri/queue-contracts';
import { leanTransactions } from './lean-transactions.ts';

/** A time-ordered id. */
export function newRequestId(): string {
  return `req_${uuid().replaceAll('-', '')}`;
}

export interface FlowQueue {
  /** Adds the request's flow in one transaction. Adding it again while its jobs exist does nothing. */
  add(order: FlowOrder): Promise<void>;
  close(): Promise<void>;
}

export function createFlowQueue({ redis, prefix }: { redis: Redis; prefix: string }): FlowQueue {
  let producer = new FlowProducer({ connection: redis, prefix });
  let isLean = false;
  return {
    async add(order) {
      try {
        if (!isLean) {
          // By then its scripts are registered.
          await producer.waitUntilReady();
          leanTransactions(redis);
          isLean = true;
        }
        await producer.add(buildFlow(order));
      } catch (error) {
        // A producer whose first look at Redis failed never tries again by itself.
        await producer.waitUntilReady().catch(() => {
          producer = new FlowProducer({ connection: redis, prefix });
        });
        throw error;
      }
    },
    async close() {
      await producer.close();
    },
  };
}
