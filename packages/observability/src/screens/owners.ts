import { createHash, randomBytes } from 'node:crypto';

/** A client of the load, and how much of it is theirs. */
export interface Owner {
  readonly name: string;
  readonly weight: number;
  /** As the client sends it. */
  readonly apiKey: string;
}

const weights = {
  'seoul-app': 10,
  'busan-app': 7,
  'mapo-district': 6,
  'campus-kiosk': 5,
  'apartment-lobby': 4,
  'gangnam-district': 4,
  'recycling-centre': 3,
  'school-project': 3,
  'jeju-tourism': 2,
  'market-hall': 2,
  'repair-cafe': 1,
  'film-festival': 1,
};

/** Who hands in a batch, and who sends more than a key may. */
export const archive = 'city-archive';
export const hasty = 'hasty-script';

/** New keys for everybody, and the setting by which the api knows them. */
export function createOwners(): { owners: readonly Owner[]; setting: string } {
  const all = Object.entries({ ...weights, [archive]: 0, [hasty]: 0 }).map(([name, weight]) => ({
    name,
    weight,
    secret: randomBytes(24).toString('base64url'),
  }));
  const keys = all.map(({ name, secret }) => ({
    id: name,
    owner: name,
    sha256: createHash('sha256').update(secret).digest('hex'),
    scopes: ['submit', 'read'],
  }));
  return {
    owners: all.map(({ name, weight, secret }) => ({ name, weight, apiKey: `${name}.${secret}` })),
    setting: JSON.stringify(keys),
  };
}

/** @param at where to point among all weights, 0 to 1. */
export function pickOwner(owners: readonly Owner[], at: number): Owner {
  let left = at * owners.reduce((sum, { weight }) => sum + weight, 0);
  const found = owners.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  if (!found) throw new Error('nobody has any weight');
  return found;
}
