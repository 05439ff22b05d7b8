type Child = Node | string | null | false | undefined;
type Attribute = string | number | boolean | undefined;

/** An element with attributes and children. Nothing is ever parsed as HTML, so that texts stay texts. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

export function button(text: string, kind: 'primary' | 'quiet' | 'chip', onClick: () => void): HTMLButtonElement {
  const element = make('button', { type: 'button', class: kind }, text);
  element.addEventListener('click', onClick);
  return element;
}

/** An element that the page came with. @throws where the page has none of this id and kind */
export function find<Element extends HTMLElement>(id: string, kind: new () => Element): Element {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${id}`);
  return element;
}

/** Shows the children alone, or hides the element where there are none. */
export function fill(element: HTMLElement, ...children: readonly Child[]): void {
  const shown = children.filter((child) => child !== null && child !== false && child !== undefined);
  element.replaceChildren(...shown);
  element.hidden = shown.length === 0;
}

/** Text with Korean in it that stands in an English page is marked, for those who have it read to them. */
export function spoken(text: string, lang: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  if (lang === 'ko') {
    fragment.append(text);
    return fragment;
  }
  text.split(/([가-힣]+(?:[ ·]+[가-힣]+)*)/).forEach((piece, i) => {
    if (piece !== '') fragment.append(i % 2 === 1 ? make('span', { lang: 'ko' }, piece) : piece);
  });
  return fragment;
}
