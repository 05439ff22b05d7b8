import { fork } from 'node:child_process';

type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string };

/** A process of the bench that answers one question after the other. */
export interface Peer<Ask> {
  /** The caller knows what its question is answered with. */
  ask<Value>(question: Ask): Promise<Value>;
  stop(): Promise<void>;
}

export function startPeer<Ask extends object>(file: URL): Peer<Ask> {
  // Typed arrays travel as they are.
  const child = fork(file, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    async ask<Value>(question: Ask): Promise<Value> {
      return await new Promise((resolve, reject) => {
        const onExit = (code: number | null) => reject(new Error(`a bench process ended with code ${code}`));
        child.once('exit', onExit);
        child.once('message', (message) => {
          child.off('exit', onExit);
          const answer = message as Answer;
          if (answer.ok) resolve(answer.value as Value);
          else reject(new Error(answer.message));
        });
        child.send(question);
      });
    },
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** The other end of `startPeer`: answers its parent until that lets go of it. */
export function answerParent(answer: (question: never) => Promise<unknown>): void {
  process.on('message', (message) => {
    answer(message as never).then(
      (value) => process.send?.({ ok: true, value } satisfies Answer),
      (error: unknown) => process.send?.({ ok: false, message: String(error) } satisfies Answer),
    );
  });
  process.on('disconnect', () => process.exit(0));
}
