type Where = 'localStorage' | 'sessionStorage';

/** What a browser keeps for the page. Some let nothing be kept: then the page does without, and loses it when it is left. */
export function readKept(where: Where, name: string): unknown {
  try {
    return JSON.parse(window[where].getItem(name) ?? 'null') as unknown;
  } catch {
    return null;
  }
}

/** @param value null for nothing @returns whether it was kept */
export function keep(where: Where, name: string, value: unknown): boolean {
  try {
    if (value === null) window[where].removeItem(name);
    else window[where].setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
