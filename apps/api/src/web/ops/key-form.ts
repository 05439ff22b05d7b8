import { fill, find } from '../page/elements.ts';
import { keyEntry } from '../page/key-entry.ts';
import { call, Refused } from './answers.ts';
import type { OpsWords } from './words.ts';

/** Asks for a key, and opens a session with it; the key itself is kept nowhere. */
export function createKeyForm(words: () => OpsWords, onOpen: () => void): { ask(): void; isAsking(): boolean } {
  const panel = find('key', HTMLElement);
  let problem: string | null = null;

  function render(): void {
    const text = words();
    const form = keyEntry({
      texts: { heading: text.keyHeading, note: problem ?? text.keyText, label: text.keyLabel, use: text.keyUse },
      isWrong: problem !== null,
      onGiven: (key) => void (key === null ? refuse(text.keyRefused) : open(key)),
    });
    fill(panel, form);
    find('key-field', HTMLInputElement).focus();
  }

  function refuse(text: string): void {
    problem = text;
    render();
  }

  async function open(key: string): Promise<void> {
    try {
      await call('POST', '/v1/admin/session', { authorization: `Bearer ${key}` });
      problem = null;
      fill(panel);
      onOpen();
    } catch (error) {
      refuse(problemOf(error, words()));
    }
  }

  return {
    ask() {
      problem = null;
      render();
    },
    isAsking: () => !panel.hidden,
  };
}

function problemOf(error: unknown, words: OpsWords): string {
  if (!(error instanceof Refused)) return words.lost;
  if (error.status === 401) return words.keyRefused;
  return error.status === 403 ? words.keyNotAdmin : error.message;
}
