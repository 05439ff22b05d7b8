import { make } from './elements.ts';

export interface KeyEntry {
  readonly texts: {
    readonly heading: string;
    /** What to do, or what is wrong. */
    readonly note: string;
    readonly label: string;
    readonly use: string;
  };
  readonly isWrong: boolean;
  /** Null for what can be no key. */
  readonly onGiven: (key: string | null) => void;
  readonly more?: Node;
}

/** What a header can hold; anything else is no key, such as letters of another keyboard. */
const keyPattern = /^[\x21-\x7e]+$/;

export function canBeKey(text: string): boolean {
  return keyPattern.test(text);
}

/** A form with a field for an API key, whose id is `key-field`. */
export function keyEntry({ texts, isWrong, onGiven, more }: KeyEntry): HTMLFormElement {
  const field = make('input', {
    id: 'key-field',
    type: 'password',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    'aria-describedby': 'key-note',
    'aria-invalid': String(isWrong),
  });
  const form = make(
    'form',
    {},
    make('h2', { tabindex: -1 }, texts.heading),
    make('p', { id: 'key-note', class: isWrong ? 'problem' : 'note' }, texts.note),
    make('label', { for: 'key-field' }, texts.label),
    field,
    more,
    make('div', { class: 'actions' }, make('button', { class: 'primary' }, texts.use)),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const given = field.value.trim();
    onGiven(canBeKey(given) ? given : null);
  });
  return form;
}
