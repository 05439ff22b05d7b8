import { drawSamplePhoto } from '@bunri/testkit';
import type { Submission } from './patient-client.ts';

export interface PhotoStock {
  /** A photo and a question that nobody has sent before, under a key of their own. */
  next(more?: Pick<Submission, 'priority' | 'deadlineS'>): Promise<Submission>;
}

/** Drawn ahead, so that a burst of users does not wait for the pencil. */
const ahead = 48;

/** Small photos, each with another picture. Another seed of the run gives other pictures and other keys. */
export function createPhotoStock(seed: number): PhotoStock {
  let drawn = 0;
  const draw = () => {
    drawn += 1;
    const number = drawn;
    const photo = drawSamplePhoto({ seed: seed * 1_000_000 + number, width: 160, height: 120 });
    // Awaited much later: a failure is told then, to whoever takes the photo.
    photo.catch(() => undefined);
    return { number, photo };
  };
  const stock = Array.from({ length: ahead }, draw);
  return {
    async next(more = {}) {
      stock.push(draw());
      const { number, photo } = stock.shift() ?? draw();
      return {
        key: `run-${seed}-photo-${number}`,
        photo: await photo,
        question: `Photo ${number} of run ${seed}: where does it go?`,
        ...more,
      };
    },
  };
}
