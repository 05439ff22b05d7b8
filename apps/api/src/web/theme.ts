/**
 * Colours and type of the pages, light and dark, with the contrast of WCAG AA between each text and its ground. Fonts are
 * those of the reader's system.
 */
export const theme = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f2; --card: #ffffff; --sunk: #eef1eb; --line: #d5dbd2; --edge: #7c877d;
  --ink: #17211b; --soft: #515d55;
  --accent: #0b6b50; --on-accent: #ffffff; --accent-soft: #e0f1e8; --accent-ink: #08543f;
  --warn-soft: #fdf1d8; --warn-ink: #6d4600; --bad-soft: #fde8e4; --bad-ink: #8c1d10;
  --shadow: 0 1px 2px rgb(20 40 30 / 6%), 0 8px 24px rgb(20 40 30 / 6%);
  --radius: 1.125rem;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101512; --card: #19201c; --sunk: #222b26; --line: #344039; --edge: #86938a;
    --ink: #edf2ee; --soft: #aebab2;
    --accent: #63d2a6; --on-accent: #06251a; --accent-soft: #173a2d; --accent-ink: #8be3c0;
    --warn-soft: #3a2d10; --warn-ink: #f5cf83; --bad-soft: #41201b; --bad-ink: #ffb4a6;
    --shadow: none;
  }
}
*, *::before, *::after { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere; word-break: keep-all;
  font: 1.0625rem/1.65 system-ui, -apple-system, "Apple SD Gothic Neo", "Noto Sans KR", "Malgun Gothic", sans-serif;
  -webkit-text-size-adjust: 100%;
}
a { color: var(--accent-ink); text-underline-offset: 0.2em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`;
