import type { Resource } from '@bunri/client';
import { button, fill, find, make } from './elements.ts';
import { keep, readKept } from './kept.ts';
import type { Page } from './page.ts';

export interface Recent {
  /** Remembers a request, or what became of it. */
  add(resource: Resource): void;
  /** Reads again what became of the requests that this browser remembers. */
  load(): Promise<void>;
  render(): void;
}

const place = 'bunri.recent';
const most = 8;
const idForm = /^req_[0-9a-f]{32}$/;

/** Requests of this browser: it keeps their ids alone, and reads the rest from the service. */
export function createRecent(page: Page, open: (id: string) => void): Recent {
  const panel = find('recent', HTMLElement);
  let ids = readIds();
  const known = new Map<string, Resource | 'gone'>();

  function render(): void {
    const words = page.words();
    const entries = ids.map((id) => make('li', {}, entry(id)));
    const forget = button(words.forget, 'quiet', () => {
      ids = [];
      keep('localStorage', place, ids);
      render();
      // The button is gone with the list.
      find('main', HTMLElement).focus();
    });
    if (ids.length === 0) {
      fill(panel);
      return;
    }
    fill(
      panel,
      make('h2', {}, words.recentHeading),
      make('ul', { class: 'requests' }, ...entries),
      make('p', { class: 'note' }, words.recentHere),
      forget,
    );
  }

  function entry(id: string): HTMLElement {
    const words = page.words();
    const resource = known.get(id);
    if (resource === 'gone') return make('p', { class: 'note' }, `${timeOf(id)} · ${words.recentGone}`);
    const element = button('', 'chip', () => open(id));
    const title = resource?.classification?.item_name ?? resource?.question ?? words.show;
    const state = resource ? ` · ${words.statuses[resource.status]}` : '';
    element.append(make('strong', {}, title), ' ', make('span', { class: 'does' }, `${timeOf(id)}${state}`));
    return element;
  }

  /** When a request was made, by its id: its first 48 bits are the time. */
  function timeOf(id: string): string {
    const at = new Date(Number.parseInt(id.slice(4, 16), 16));
    return at.toLocaleString(page.lang(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
  }

  return {
    add(resource) {
      known.set(resource.id, resource);
      ids = [resource.id, ...ids.filter((id) => id !== resource.id)].slice(0, most);
      keep('localStorage', place, ids);
      render();
    },
    async load() {
      // One after the other: without a key the first refusal is enough.
      for (const id of ids) {
        try {
          known.set(id, await page.client.get(id));
        } catch (error) {
          if (!isGone(error)) break;
          known.set(id, 'gone');
        }
        render();
      }
    },
    render,
  };
}

function readIds(): string[] {
  const kept = readKept('localStorage', place);
  return Array.isArray(kept) ? kept.filter((id) => typeof id === 'string' && idForm.test(id)).slice(0, most) : [];
}

function isGone(error: unknown): boolean {
  const { status } = error as { status?: unknown };
  return status === 404 || status === 410;
}
