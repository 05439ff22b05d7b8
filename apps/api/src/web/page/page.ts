import type { Client, Locale } from '@bunri/client';
import type { Words } from './words.ts';

/** What every part of the page works with. */
export interface Page {
  readonly client: Client;
  lang(): Locale;
  words(): Words;
  /** Has it read aloud by whoever reads the page aloud, without moving anything. */
  announce(text: string): void;
}
