/** Text that is HTML already. Only `markup` makes it, so that whatever else is put into a page is escaped. */
export interface Html {
  readonly html: string;
}

type Content = Html | string | number | null | readonly Content[];

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function toText(content: Content): string {
  if (content === null) return '';
  if (typeof content === 'string') return content.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? '');
  if (typeof content === 'number') return String(content);
  return 'html' in content ? content.html : content.map(toText).join('');
}

/** A piece of a page. Values are escaped for element content and for attributes in quotes; lists are joined, null is nothing. */
export function markup(literals: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return {
    html: literals.map((literal, i) => (i === 0 ? literal : toText(contents[i - 1] ?? null) + literal)).join(''),
  };
}
