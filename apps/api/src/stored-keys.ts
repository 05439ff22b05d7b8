import type { Redis } from 'ioredis';
import type { ApiKeys, Logger, StoredApiKey } from '@bunri/runtime';

/** For so long a process goes by what it knows of a key, should it not hear that the key was changed. */
export const knownForMs = 5_000;
/** A key's last use is written at most so often by a process. */
const touchEveryMs = 60_000;
/** More than there are keys, so that only ids that somebody makes up push others out. */
const mostRemembered = 10_000;

/** The keys in Redis as this process knows them. */
export interface StoredKeys {
  /** Null for an id that there is no key of. @throws where Redis does not answer and the process knows nothing of the id */
  find(id: string): Promise<StoredApiKey | null>;
  /** The key was used; told to Redis once a minute, behind the request. */
  used(id: string): void;
}

interface Known {
  readonly key: StoredApiKey | null;
  readonly until: number;
}

/**
 * Keeps what Redis said of an id for five seconds, whether there is such a key or not, and drops it as soon as a change is
 * told. Whoever makes up ids costs a look-up each, and pushes out what is known of other made-up ids, never of real keys.
 */
export function createStoredKeys(options: {
  apiKeys: Pick<ApiKeys, 'find' | 'touch'>;
  /** A connection for Pub/Sub, which may be shared, and the channel on which changed keys are told. */
  subscriber: Redis;
  channel: string;
  log: Logger;
  now?: () => number;
  /** Of each kind: keys, ids without one, and uses. Default 10,000. */
  most?: number;
}): StoredKeys {
  const { apiKeys, subscriber, channel, log, now = Date.now, most = mostRemembered } = options;
  const keys = boundedMap<Known>(most);
  const strangers = boundedMap<Known>(most);
  const touched = boundedMap<number>(most);
  const asked = new Map<string, Promise<StoredApiKey | null>>();

  subscriber.on('message', (from: string, id: string) => {
    if (from !== channel) return;
    keys.delete(id);
    strangers.delete(id);
    // An answer that is on its way may be from before the change: nobody else waits for it, and it is not kept.
    asked.delete(id);
  });
  // A subscription that cannot be made now is made when Redis is back; until then what is known ends by its time.
  subscriber.subscribe(channel).catch((error: unknown) => {
    log.warn('changes of API keys are not heard of', { error });
  });

  async function ask(id: string): Promise<StoredApiKey | null> {
    const answer: Promise<StoredApiKey | null> = apiKeys.find(id).then(
      (key) => {
        if (asked.get(id) === answer) {
          (key ? keys : strangers).set(id, { key, until: now() + knownForMs });
          asked.delete(id);
        }
        return key;
      },
      (error: unknown) => {
        if (asked.get(id) === answer) asked.delete(id);
        throw error;
      },
    );
    asked.set(id, answer);
    return await answer;
  }

  return {
    async find(id) {
      const known = keys.get(id) ?? strangers.get(id);
      if (known && now() < known.until) return known.key;
      return await (asked.get(id) ?? ask(id));
    },

    used(id) {
      const at = now();
      if (at - (touched.get(id) ?? Number.NEGATIVE_INFINITY) < touchEveryMs) return;
      touched.set(id, at);
      apiKeys.touch(id).catch((error: unknown) => {
        log.warn('the last use of an API key was not kept', { key_id: id, error });
      });
    },
  };
}

/** A map that forgets what was set first. */
function boundedMap<Value>(most: number) {
  const map = new Map<string, Value>();
  return {
    get: (id: string) => map.get(id),
    delete: (id: string) => void map.delete(id),
    set(id: string, value: Value) {
      map.delete(id);
      map.set(id, value);
      if (map.size <= most) return;
      const [first] = map.keys();
      if (first !== undefined) map.delete(first);
    },
  };
}
