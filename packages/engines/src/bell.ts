/** Something that changed, for those who wait for a change and then look for themselves. */
export interface Bell {
  readonly ring: () => void;
  /** @returns false when nothing rang within `withinMs`; without it the wait has no end of its own. */
  heard(withinMs?: number): Promise<boolean>;
}

export function createBell(): Bell {
  let waiting = new Set<() => void>();
  return {
    ring() {
      const woken = waiting;
      waiting = new Set();
      for (const wake of woken) wake();
    },
    async heard(withinMs) {
      return await new Promise((resolve) => {
        let timer: NodeJS.Timeout | undefined;
        const wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
        waiting.add(wake);
        if (withinMs === undefined) return;
        timer = setTimeout(() => {
          waiting.delete(wake);
          resolve(false);
        }, withinMs);
      });
    },
  };
}
