/** What comes first by `key`, and among equals by the order in which it was put. A binary heap. */
export interface Heap<Item> {
  readonly size: number;
  push(key: number, item: Item): void;
  /** The key of what comes first; Infinity of none. */
  firstKey(): number;
  pop(): Item | undefined;
  /** How many have this key or a lower one. Looks at each. */
  countUpTo(key: number): number;
}

interface Entry<Item> {
  readonly key: number;
  readonly number: number;
  readonly item: Item;
}

export function createHeap<Item>(): Heap<Item> {
  const entries: Entry<Item>[] = [];
  let pushed = 0;

  function rise(entry: Entry<Item>): void {
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = entries[above];
      if (!parent || isBefore(parent, entry)) break;
      entries[at] = parent;
      at = above;
    }
    entries[at] = entry;
  }

  function sink(entry: Entry<Item>): void {
    let at = 0;
    for (;;) {
      const left = entries[2 * at + 1];
      const right = entries[2 * at + 2];
      if (!left) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(entry, child)) break;
      entries[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    entries[at] = entry;
  }

  return {
    get size() {
      return entries.length;
    },
    push(key, item) {
      rise({ key, number: pushed, item });
      pushed += 1;
    },
    firstKey: () => entries[0]?.key ?? Infinity,
    pop() {
      const first = entries[0];
      const last = entries.pop();
      if (last && entries.length > 0) sink(last);
      return first?.item;
    },
    countUpTo(key) {
      let count = 0;
      for (const entry of entries) if (entry.key <= key) count += 1;
      return count;
    },
  };
}

function isBefore<Item>(one: Entry<Item>, other: Entry<Item>): boolean {
  return one.key < other.key || (one.key === other.key && one.number < other.number);
}
