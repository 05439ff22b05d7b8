import { beforeAll, expect, test } from '@jest/globals';
import { seededRandom } from '@bunri/testkit';
import { startBackend } from './backbones.ts';
import { estimate, openHead } from './head.ts';
import { areaUnderCurve, headContent, train, type Sample } from './train.ts';

beforeAll(async () => {
  await startBackend();
});

const random = seededRandom(7);
const noise = () => random() - 0.5;

/** Photos of three materials around points of their own, as far apart as `distance` says. */
function samples(distance: number, perClass = 60): Sample[] {
  return ['glass', 'metal', 'paper'].flatMap((material, place) =>
    Array.from({ length: perClass }, () => ({
      folder: material,
      material,
      features: Float32Array.from({ length: 8 }, (_, index) => noise() + (index === place ? distance : 0)),
    })),
  );
}

const options = { regularisation: 1e-3, folds: 3, leaveOut: false, say: () => undefined };

test('what can be told apart is told apart on photos that were left out, and what cannot is not claimed', () => {
  const easy = train(samples(3), options);
  expect(easy.classes).toEqual(['glass', 'metal', 'paper']);
  expect(easy.figures.accuracy).toBeGreaterThan(0.95);
  const hopeless = train(samples(0), options);
  expect(hopeless.figures.accuracy).toBeLessThan(0.6);
  expect(hopeless.figures.calibrationError).toBeLessThan(0.2);
  expect(hopeless.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(180);
});

test('a head that was written and read again says what was trained, surer of what it knows', () => {
  const photos = samples(3);
  const trained = train(photos, options);
  const head = openHead(
    JSON.parse(
      JSON.stringify(
        headContent(trained, { version: '1', backbones: backbones(), date: '2026-01-01', samples: photos }),
      ),
    ),
  );
  const [glass] = photos;
  const known = estimate(head, glass?.features ?? new Float32Array(8));
  expect(known.materials[0]?.material).toBe('glass');
  expect(known.materials.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1);
  expect(estimate(head, new Float32Array(8)).familiarity).toBeLessThan(0.1);
  expect(head.file.trained.perClass).toEqual({ glass: 60, metal: 60, paper: 60 });
});

function backbones() {
  return [{ id: 'open-images-mobilenet', package: 'x', checksum: 'y' }];
}

test('how well unknown kinds are told is measured by leaving each class out', () => {
  const { figures } = train(samples(3), { ...options, leaveOut: true });
  expect(figures.unknownKinds).toBeGreaterThan(0.7);
  expect(train(samples(3), options).figures.unknownKinds).toBeNull();
});

test('one material alone cannot be trained', () => {
  const glass = samples(1).filter(({ material }) => material === 'glass');
  expect(() => train(glass, options)).toThrow('at least two materials');
});

test('the area under the curve is the share of pairs in which the first value is the lower one', () => {
  expect(areaUnderCurve([1, 2], [3, 4])).toBe(1);
  expect(areaUnderCurve([3, 4], [1, 2])).toBe(0);
  expect(areaUnderCurve([1, 3], [2, 4])).toBe(0.75);
  expect(areaUnderCurve([1], [1])).toBe(0.5);
});
