/** Bytes of memory that are given out until they are given back. */
export interface ByteBudget {
  /** @returns what gives them back, once however often it is called; null where so many are not left. */
  take(sizeBytes: number): (() => void) | null;
}

export interface SharedByteBudget {
  /** What is given out now, to all owners. */
  readonly takenBytes: number;
  /** The budget as one owner may use it. */
  of(owner: string): ByteBudget;
}

/** Who sends slowly from many connections leaves this much of the whole to others. */
const reservedShare = 0.25;

/** Whoever holds nothing yet may take whatever is left; an owner who holds something leaves a quarter of the whole to others. */
export function createByteBudget(limitBytes: number): SharedByteBudget {
  let takenBytes = 0;
  const takenBy = new Map<string, number>();
  const mostOfOne = limitBytes * (1 - reservedShare);

  function change(owner: string, bytes: number): void {
    takenBytes += bytes;
    const own = (takenBy.get(owner) ?? 0) + bytes;
    if (own > 0) takenBy.set(owner, own);
    else takenBy.delete(owner);
  }

  return {
    get takenBytes() {
      return takenBytes;
    },
    of: (owner) => ({
      take(sizeBytes) {
        const own = takenBy.get(owner) ?? 0;
        if (takenBytes + sizeBytes > limitBytes || (own > 0 && own + sizeBytes > mostOfOne)) return null;
        change(owner, sizeBytes);
        let owed = sizeBytes;
        return () => {
          change(owner, -owed);
          owed = 0;
        };
      },
    }),
  };
}
