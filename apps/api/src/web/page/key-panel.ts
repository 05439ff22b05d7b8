import { fill, find, make } from './elements.ts';
import { keep, readKept } from './kept.ts';
import { canBeKey, keyEntry } from './key-entry.ts';
import type { Page } from './page.ts';

export interface KeyPanel {
  /** The key that is used, if one is. */
  key(): string | undefined;
  /** Asks for a key; then goes on with what needed one. */
  ask(goOn: () => void): void;
  hide(): void;
  render(): void;
}

const place = 'bunri.key';

/** Asks for an API key where the service wants one. It is kept for this tab only if the person says so, else in memory. */
export function createKeyPanel(page: () => Page): KeyPanel {
  const panel = find('key', HTMLElement);
  let key = keptKey();
  let refused = false;
  let isKept = false;
  let goOn: (() => void) | null = null;

  function render(): void {
    if (!goOn) return;
    const words = page().words();
    const tick = make('input', { id: 'key-keep', type: 'checkbox', checked: isKept });
    const note = refused ? words.keyRefused : words.keyText;
    const form = keyEntry({
      texts: { heading: words.keyHeading, note, label: words.keyLabel, use: words.keyUse },
      isWrong: refused,
      more: make('label', { class: 'check', for: 'key-keep' }, tick, words.keyKeep),
      onGiven(given) {
        isKept = tick.checked;
        if (given === null) refuse();
        else use(given);
      },
    });
    fill(panel, form);
  }

  function refuse(): void {
    refused = true;
    render();
    page().announce(page().words().keyRefused);
    panel.querySelector<HTMLElement>('#key-field')?.focus();
  }

  function use(given: string): void {
    key = given;
    keep('sessionStorage', place, isKept ? given : null);
    const next = goOn;
    hide();
    next?.();
  }

  function hide(): void {
    goOn = null;
    fill(panel);
  }

  return {
    key: () => key,
    ask(next) {
      goOn = next;
      if (key !== undefined) {
        refuse();
        return;
      }
      render();
      page().announce(page().words().keyHeading);
      panel.querySelector<HTMLElement>('#key-field')?.focus();
    },
    hide,
    render,
  };
}

function keptKey(): string | undefined {
  const kept = readKept('sessionStorage', place);
  return typeof kept === 'string' && canBeKey(kept) ? kept : undefined;
}
