import { theme } from './theme.ts';

export const docsStyle = `${theme}
body { max-width: 76rem; margin: 0 auto; padding: 1rem; font-size: 1rem; word-break: normal; }
h1, h2, h3, h4 { line-height: 1.3; margin: 0; }
h1 { font-size: 1.9rem; }
main > section > h2 { font-size: 1.4rem; margin-top: 2.5rem; text-transform: capitalize; }
h4 { margin-top: 1.1rem; font-size: 0.95rem; color: var(--soft); }
p { margin: 0.4rem 0 0; }
ul { list-style: none; margin: 0.3rem 0 0; padding: 0; }
code, pre { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; font-size: 0.9em; }
code { background: var(--sunk); padding: 0.1em 0.35em; border-radius: 0.35rem; }
pre { background: var(--sunk); padding: 1rem; border-radius: 0.75rem; overflow-x: auto; margin: 0.4rem 0 0; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
nav h2 { font-size: 1rem; margin-top: 1rem; text-transform: capitalize; }
nav li a, nav h2 a, nav p a { display: inline-block; padding: 0.3rem 0; min-height: 1.5rem; text-decoration: none; }
article { scroll-margin-top: 1rem; margin-top: 1rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); }
.call { font-size: 1.05rem; }
.method { font-weight: 700; color: var(--accent-ink); }
.limits { color: var(--soft); font-size: 0.9rem; }
.field { font-weight: 700; background: none; padding: 0; }
.fields > li { padding: 0.5rem 0; border-top: 1px solid var(--line); }
.fields .fields { margin-left: 0.25rem; padding-left: 1rem; border-left: 3px solid var(--line); }
summary { cursor: pointer; padding: 0.5rem 0; color: var(--accent-ink); font-weight: 600; }
@media (min-width: 60rem) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr); gap: 2.5rem; }
  nav { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem); overflow-y: auto; font-size: 0.95rem; }
}
`;
