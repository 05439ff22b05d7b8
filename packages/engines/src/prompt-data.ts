const invisible = /\p{Cf}/gu;
const blank = /[\s\p{C}]+/gu;

/**
 * Foreign text as one line that cannot end the fence around it, nor pass for a tag or a cited rule: invisible characters
 * go, white space becomes single spaces, `< > [ ]` become look-alikes.
 *
 * @param limit in Unicode characters; what is longer is cut.
 */
export function asData(text: string, limit: number): string {
  const visible = text.normalize('NFC').replaceAll(invisible, '');
  const line = visible.replaceAll(blank, ' ').trim();
  const cut = Array.from(line).slice(0, limit).join('');
  return cut.replaceAll('<', '‹').replaceAll('>', '›').replaceAll('[', '［').replaceAll(']', '］');
}
