import type { Description } from './description.ts';

/** RGB bytes, row by row, as the numbers that a model takes. */
export function toInput(
  pixels: Uint8Array,
  { layout, channels, scale, mean, std }: Pick<Description['input'], 'layout' | 'channels' | 'scale' | 'mean' | 'std'>,
): Float32Array {
  const count = pixels.length / 3;
  const values = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel += 1) {
    const from = channels === 'RGB' ? channel : 2 - channel;
    const [shift, width] = [mean[channel] ?? 0, std[channel] ?? 1];
    for (let pixel = 0; pixel < count; pixel += 1) {
      const at = layout === 'NCHW' ? channel * count + pixel : pixel * 3 + channel;
      values[at] = ((pixels[pixel * 3 + from] ?? 0) * scale - shift) / width;
    }
  }
  return values;
}
