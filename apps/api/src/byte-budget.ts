/** Bytes of memory that are given out until they are given back. */
export interface ByteBudget {
  /** What is given out now. */
  readonly takenBytes: number;
  /** @returns what gives them back, once however often it is called; null where so many are not left. */
  take(sizeBytes: number): (() => void) | null;
}

export function createByteBudget(limitBytes: number): ByteBudget {
  let takenBytes = 0;
  return {
    get takenBytes() {
      return takenBytes;
    },
    take(sizeBytes) {
      if (takenBytes + sizeBytes > limitBytes) return null;
      takenBytes += sizeBytes;
      let owed = sizeBytes;
      return () => {
        takenBytes -= owed;
        owed = 0;
      };
    },
  };
}
