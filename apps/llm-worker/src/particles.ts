/**
 * A Korean word with the form of a particle that its last sound asks for. What stands in brackets at its end is not read
 * aloud; behind other scripts both forms stand.
 *
 * @param particle both forms, for a final consonant and without one, as `은/는`. Behind ㄹ, 으로 is 로.
 */
export function withParticle(word: string, particle: '은/는' | '으로/로' | '이라면/라면'): string {
  const [closed = '', open = ''] = particle.split('/');
  const spoken = word.replace(/\s*\([^)]*\)$/u, '').normalize('NFC');
  const last = spoken.charCodeAt(spoken.length - 1);
  if (!(last >= 0xac00 && last <= 0xd7a3)) return `${word}${closed}(${open})`;
  const final = (last - 0xac00) % 28;
  const isOpen = final === 0 || (final === 8 && particle === '으로/로');
  return `${word}${isOpen ? open : closed}`;
}
