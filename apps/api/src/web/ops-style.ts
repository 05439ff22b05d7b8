import { pageStyle } from './page-style.ts';

/** The style of the page for people, and what is on this page alone. */
export const opsStyle = `${pageStyle}
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.6rem; margin-bottom: 1rem; }
.bar p { margin: 0 auto 0 0; color: var(--soft); font-variant-numeric: tabular-nums; }
#content { display: grid; gap: 1rem; }
#content[hidden] { display: none; }
#content > * { min-width: 0; }
.pipeline { display: block; width: 100%; height: auto; margin: 1rem 0; }
@media (max-width: 59.99rem) { .pipeline { max-width: 24rem; margin: 1rem auto; } }
.pipeline text { fill: var(--ink); font-size: 15px; font-variant-numeric: tabular-nums; }
.pipeline .frame { fill: var(--ground); stroke: var(--edge); stroke-width: 1.5; }
.pipeline .name { font-weight: 700; font-size: 16px; }
.pipeline .state { fill: var(--soft); font-size: 14px; }
.pipeline .depth { font-weight: 800; font-size: 30px; }
.pipeline .small { fill: var(--soft); font-size: 14px; }
.pipeline .end { text-anchor: end; }
.pipeline .slots { fill: var(--sunk); stroke: var(--edge); stroke-width: 0.75; }
.pipeline .taken { fill: var(--accent); }
.pipeline .arrow { fill: none; stroke: var(--edge); stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round; }
.pipeline .sibling { stroke-dasharray: 2 7; }
.pipeline [data-state="working"] .frame { stroke: var(--accent); stroke-width: 2.5; }
.pipeline :is([data-state="full"], [data-state="paused"]) .frame { fill: var(--warn-soft); stroke: var(--warn-ink); stroke-width: 2.5; }
.pipeline :is([data-state="full"], [data-state="paused"]) text { fill: var(--warn-ink); }
.pipeline [data-state="unserved"] .frame { fill: var(--bad-soft); stroke: var(--bad-ink); stroke-width: 2.5; }
.pipeline [data-state="unserved"] text { fill: var(--bad-ink); }
.scrolls { overflow-x: auto; margin-top: 0.75rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; font-variant-numeric: tabular-nums; word-break: normal; overflow-wrap: normal; }
th, td { padding: 0.5rem 0.75rem 0.5rem 0; text-align: left; border-top: 1px solid var(--line); white-space: nowrap; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; }
td button { min-height: 2.75rem; padding: 0.25rem 0.9rem; }
[aria-disabled="true"] { cursor: default; border-style: dashed; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.75rem; margin: 0.75rem 0 0; }
.figures > div { padding: 0.7rem 0.9rem; border-radius: 0.9rem; background: var(--ground); border: 1px solid var(--line); }
.figures dt { color: var(--soft); font-size: 0.9375rem; }
.figures dd { margin: 0; display: grid; }
.figures strong { font-size: 1.5rem; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.figures meter { width: 100%; height: 0.9rem; margin-top: 0.3rem; }
`;
