import * as z from 'zod';
import { itemById } from '@bunri/knowledge';
import { Problem } from './problem.ts';

/** How a client names an item; whether there is such a one is for `requireItem`. */
export const itemIdField = z.string().min(1).max(100).meta({ description: 'An id of the item catalogue.' });

/** @throws Problem `item_unknown` */
export function requireItem(id: string): void {
  if (itemById(id)) return;
  throw new Problem('item_unknown', 'There is no item of this id. GET /v1/items lists all items, and searches them.');
}
