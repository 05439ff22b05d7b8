import { theme } from './theme.ts';

/** Written for a narrow screen. */
export const itemsStyle = `${theme}
body { margin: 0 auto; max-width: 50rem; padding: 0 1rem 3rem; }
h1 { font-size: 1.75rem; line-height: 1.3; margin: 1rem 0 0; letter-spacing: -0.01em; }
h2 { font-size: 1.3rem; margin: 2rem 0 0.5rem; }
h3 { font-size: 1.0625rem; margin: 1rem 0 0.25rem; }
summary h3 { display: inline; margin: 0; }
h4 { font-size: 0.95rem; margin: 1rem 0 0.25rem; color: var(--soft); }
header p { color: var(--soft); margin: 0.5rem 0 0; }
ol, ul { padding-left: 1.25rem; margin: 0; }
li { margin-bottom: 0.5rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
.languages { display: flex; flex-wrap: wrap; gap: 0.25rem; justify-content: flex-end; }
.languages a:first-child { margin-right: auto; }
h1 a { color: inherit; text-decoration: none; }
.languages a, .names a, summary, button, input, select { min-height: 2.75rem; }
.languages a, .names a { display: inline-flex; align-items: center; padding: 0 0.5rem; }
.languages a { white-space: nowrap; }
.languages [aria-current] { color: var(--ink); font-weight: 700; text-decoration: none; }
form { display: grid; gap: 0.25rem 0.75rem; margin-top: 1.25rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); }
label { font-weight: 600; }
input, select, button { font: inherit; color: inherit; width: 100%; padding: 0.5rem 0.85rem; border: 1px solid var(--edge); border-radius: 0.75rem; background: var(--ground); }
button { margin-top: 0.5rem; font-weight: 600; color: var(--on-accent); background: var(--accent); border-color: transparent; cursor: pointer; }
.names { display: flex; flex-wrap: wrap; gap: 0 0.5rem; list-style: none; padding: 0; }
.names li { margin: 0; }
details { margin-top: 0.6rem; padding: 0.25rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); }
details[open] { padding-bottom: 1rem; }
summary { cursor: pointer; padding: 0.5rem 0; }
small { display: block; font-size: 0.85rem; color: var(--soft); }
@media (min-width: 40rem) {
  form { grid-template-columns: 2fr 1fr auto; align-items: end; grid-auto-flow: column; grid-template-rows: auto auto; }
  button { grid-row: 2; margin: 0; }
}
`;
