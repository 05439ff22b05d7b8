import { median, noisePercent, percentile } from './measure.ts';
import type { Row } from './overhead.ts';
import type { Side } from './side.ts';

/** One request at a time: from submitting it to seeing its completion, in ms. */
export async function idle(
  sides: { raw: Side; bunri: Side },
  { rounds, count }: { rounds: number; count: number },
): Promise<Row[]> {
  const times: { raw: number[]; bunri: number[] }[] = [];
  const run = async (side: Side) => (await side.submitter({ ask: 'latency', count })) as number[];
  for (const side of [sides.raw, sides.bunri]) await run(side);
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) times.push({ raw: await run(sides.raw), bunri: await run(sides.bunri) });
    else {
      const bunri = await run(sides.bunri);
      times.push({ raw: await run(sides.raw), bunri });
    }
  }
  return ([0.5, 0.99] as const).map((p) => {
    const ratios = times.map(({ raw, bunri }) => percentile(bunri, p) / percentile(raw, p));
    return {
      figure: `submit to completed seen, p${p * 100}, ms`,
      raw: median(times.map(({ raw }) => percentile(raw, p))),
      bunri: median(times.map(({ bunri }) => percentile(bunri, p))),
      ratio: median(ratios),
      noisePercent: noisePercent(ratios),
    };
  });
}
