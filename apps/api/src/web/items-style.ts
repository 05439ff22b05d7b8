/** Written for a narrow screen; colours are the system's, so that contrast and dark mode are the reader's choice. */
export const itemsStyle = `
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; margin: 0 auto; max-width: 46rem; padding: 0 1rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.3; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; }
h3 { font-size: 1.05rem; margin: 1rem 0 0.25rem; }
summary h3 { display: inline; }
h4 { font-size: 1rem; margin: 0.75rem 0 0.25rem; }
ol, ul { padding-left: 1.25rem; margin: 0; }
li { margin-bottom: 0.5rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
.languages { display: flex; gap: 0.5rem; justify-content: flex-end; }
h1 a { color: inherit; text-decoration: none; }
.languages a, .names a, summary, button, input, select { min-height: 2.75rem; box-sizing: border-box; }
.languages a, .names a { display: inline-flex; align-items: center; padding: 0 0.5rem; }
form { display: grid; gap: 0.25rem 0.75rem; }
input, select, button { font: inherit; padding: 0.5rem; width: 100%; }
button { margin-top: 0.5rem; }
.names { display: flex; flex-wrap: wrap; gap: 0 0.5rem; list-style: none; padding: 0; }
.names li { margin: 0; }
details { border-top: 1px solid GrayText; }
summary { cursor: pointer; padding: 0.5rem 0; }
small { display: block; font-size: 0.85rem; }
@media (min-width: 40rem) {
  form { grid-template-columns: 2fr 1fr auto; align-items: end; grid-auto-flow: column; grid-template-rows: auto auto; }
  button { grid-row: 2; margin: 0; }
}
`;
