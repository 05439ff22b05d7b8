import { theme } from './theme.ts';

/** Written for a phone; a wide window gets a second column. */
export const pageStyle = `${theme}
[hidden] { display: none !important; }
h1, h2, h3 { line-height: 1.3; margin: 0; text-wrap: balance; }
h2:focus, main:focus, .thanks:focus { outline: none; }
h1 { font-size: clamp(1.6rem, 6vw, 2.35rem); letter-spacing: -0.02em; }
h2 { font-size: 1.25rem; }
h3 { font-size: 1.0625rem; margin-top: 1.5rem; }
p { margin: 0.5rem 0 0; }
ul, ol { margin: 0.5rem 0 0; padding: 0; list-style: none; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -100rem; z-index: 2; background: var(--card); padding: 0.75rem 1rem; }
.skip:focus { left: 0.5rem; top: 0.5rem; }
.note, .does { color: var(--soft); font-size: 0.9375rem; }
.problem { color: var(--bad-ink); font-weight: 600; }

.top { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.5rem; max-width: 72rem; margin: 0 auto; padding: 0.5rem 1rem; }
.top a { display: inline-flex; align-items: center; min-height: 2.75rem; min-width: 2.75rem; padding: 0 0.5rem; color: var(--ink); text-decoration: none; border-radius: 0.6rem; }
.top a:hover { background: var(--sunk); }
.brand { font-weight: 700; gap: 0.55rem; margin: 0 auto 0 -0.5rem; }
.languages { margin-right: -0.5rem; }
.links, .languages { display: flex; font-size: 0.9375rem; }
.languages a { color: var(--soft); }
.languages a[aria-current] { color: var(--ink); font-weight: 700; box-shadow: inset 0 -3px 0 -1px var(--accent); border-radius: 0; }
.banner { position: sticky; top: 0.5rem; z-index: 1; margin: 0 0 0.75rem; border-radius: 0.75rem; padding: 0.6rem 1rem; text-align: center; background: var(--warn-soft); color: var(--warn-ink); font-weight: 600; }

main { max-width: 72rem; margin: 0 auto; padding: 0.75rem 1rem 4rem; }
.hero { max-width: 40rem; padding: 0.5rem 0 1.25rem; }
.hero p { color: var(--soft); }
.columns, .results { display: grid; gap: 1rem; align-content: start; min-width: 0; }
.columns > * { min-width: 0; }
section { scroll-margin-top: 0.75rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow); padding: 1.25rem; }

label { display: block; font-weight: 600; margin-top: 1rem; }
textarea, input[type="search"], input[type="password"] {
  display: block; width: 100%; min-height: 3rem; margin-top: 0.4rem; padding: 0.7rem 0.85rem; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--edge); border-radius: 0.75rem; resize: vertical;
}
.check { display: flex; align-items: center; gap: 0.6rem; font-weight: 400; min-height: 2.75rem; }
.check input { width: 1.4rem; height: 1.4rem; accent-color: var(--accent); }
button, .take, .choose {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.5rem; min-height: 3rem; padding: 0.55rem 1.15rem; margin: 0;
  font: inherit; font-weight: 600; color: var(--accent-ink); background: transparent; border: 1px solid var(--edge); border-radius: 0.85rem; cursor: pointer; text-align: center;
}
button:hover, .choose:hover { background: var(--accent-soft); }
.primary, .take { color: var(--on-accent); background: var(--accent); border-color: transparent; }
.primary:hover, .take:hover { background: var(--accent-ink); color: var(--card); }
#send { width: 100%; min-height: 3.4rem; margin-top: 1.1rem; font-size: 1.125rem; }
.chip { border-color: var(--line); background: var(--sunk); color: var(--ink); font-weight: 500; }
.actions { display: flex; flex-wrap: wrap; gap: 0.6rem; margin-top: 1.5rem; }
.suggestions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.6rem; }
.suggestions .chip { min-height: 2.75rem; padding: 0.35rem 0.9rem; border-radius: 2rem; font-size: 0.9375rem; }

.drop { border: 2px dashed var(--line); border-radius: 0.9rem; padding: 1rem; text-align: center; background: var(--ground); }
.drop.dragged { border-color: var(--accent); background: var(--accent-soft); }
.drop h2 { font-size: 1.0625rem; }
.pick { display: flex; flex-wrap: wrap; gap: 0.6rem; justify-content: center; margin-top: 0.75rem; }
.pick label { position: relative; flex: 1 1 9rem; }
.pick input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; }
.pick label:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; }
.drop-hint { display: none; }
.preview { display: grid; gap: 0.5rem; justify-items: center; margin-top: 0.75rem; }
.preview img { display: block; max-width: 100%; max-height: 18rem; border-radius: 0.75rem; border: 1px solid var(--line); }
.has-photo { border-style: solid; }
.has-photo .take { color: var(--accent-ink); background: transparent; border-color: var(--edge); }
#unpick { flex: 1 1 9rem; }

.place { font-weight: 600; }
.notice { padding: 0.7rem 0.9rem; border-radius: 0.75rem; background: var(--warn-soft); color: var(--warn-ink); font-weight: 600; }
.stages { position: relative; margin: 1.1rem 0; }
.stages li { position: relative; display: grid; grid-template-columns: 1.75rem 1fr auto; gap: 0 0.75rem; padding-bottom: 1.1rem; }
.stages li:not(:last-child)::before { content: ""; position: absolute; left: 0.8rem; top: 1.7rem; bottom: 0; width: 2px; background: var(--line); }
.stages li[data-state="done"]:not(:last-child)::before { background: var(--accent); }
.mark { width: 1.75rem; height: 1.75rem; border-radius: 50%; border: 2px solid var(--line); background: var(--card); display: grid; place-items: center; font-weight: 800; font-size: 0.9rem; }
[data-state="done"] .mark { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
[data-state="done"] .mark::after { content: "✓"; }
[data-state="running"] .mark { border-color: var(--accent); border-right-color: transparent; animation: turn 0.9s linear infinite; }
[data-state="retrying"] .mark { border-color: var(--warn-ink); }
[data-state="failed"] .mark { border-color: var(--bad-ink); }
[data-state="failed"] .mark::after { content: "!"; }
.stages .does { display: block; }
.how { display: grid; justify-items: end; align-content: start; font-size: 0.9375rem; color: var(--soft); text-align: right; }
.how .time { color: var(--ink); font-variant-numeric: tabular-nums; font-weight: 600; }
[data-state="waiting"] .what strong { color: var(--soft); font-weight: 500; }
.draft { border-top: 1px solid var(--line); margin-bottom: 1.25rem; }
.draft p { white-space: pre-line; }
@keyframes turn { to { transform: rotate(1turn); } }

.trouble { border-left: 6px solid var(--bad-ink); }
.eyebrow { margin: 0; font-size: 0.875rem; font-weight: 700; color: var(--accent-ink); letter-spacing: 0.04em; }
.answer h2 { font-size: 1.6rem; letter-spacing: -0.01em; }
.badges { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.badge, .bin { padding: 0.25rem 0.8rem; border-radius: 2rem; background: var(--sunk); font-weight: 600; font-size: 0.9375rem; }
.bin { background: var(--accent); color: var(--on-accent); }
.bin[data-bin="general"], .bin[data-bin="noncombustible"], .bin[data-bin="construction"], .bin[data-bin="bulky"] { background: var(--ink); color: var(--card); }
.bin[data-bin="food"] { background: var(--warn-ink); color: var(--warn-soft); }
.bin[data-bin="hazardous"] { background: var(--bad-ink); color: var(--bad-soft); }
.remarks { display: grid; gap: 0.5rem; margin-top: 1rem; }
.remarks li, .warnings li { padding: 0.7rem 0.9rem; border-radius: 0.75rem; background: var(--warn-soft); color: var(--warn-ink); }
.warnings { display: grid; gap: 0.5rem; }
.asked { margin-top: 1.25rem; color: var(--soft); }
.lead { font-size: 1.125rem; white-space: pre-line; }
.steps { counter-reset: step; display: grid; gap: 0.75rem; margin-top: 0.75rem; }
.steps li { counter-increment: step; display: grid; grid-template-columns: 2rem 1fr; gap: 0.75rem; }
.steps li::before { content: counter(step); display: grid; place-items: center; width: 2rem; height: 2rem; border-radius: 0.7rem; background: var(--accent-soft); color: var(--accent-ink); font-weight: 700; }
.missing { padding-left: 1.2rem; list-style: disc; }
.clarify, .correction { margin-top: 1.25rem; padding: 1rem; border-radius: 0.9rem; background: var(--accent-soft); }
.clarify h3, .correction h3 { margin: 0; }
.clarify .note, .correction .note { color: var(--ink); }
.choices { display: grid; gap: 0.5rem; margin: 0.75rem 0; }
.choices button, .requests button { width: 100%; justify-content: flex-start; text-align: left; flex-wrap: wrap; gap: 0 0.6rem; background: var(--card); }
.choices button:hover, .requests button:hover { background: var(--sunk); }
.sources { margin-top: 1.5rem; border-top: 1px solid var(--line); font-size: 0.9375rem; }
.sources summary { display: flex; align-items: center; min-height: 3rem; font-weight: 600; cursor: pointer; }
.sources summary::before { content: "+"; width: 1.4rem; font-weight: 700; color: var(--accent-ink); }
.sources[open] summary::before { content: "–"; }
.sources ul { margin: 0; display: grid; gap: 0.5rem; }
.judgement { display: flex; flex-wrap: wrap; align-items: center; gap: 0.6rem; margin-top: 1.25rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
.thanks { margin-top: 1.25rem; color: var(--accent-ink); font-weight: 600; }
.requests { display: grid; gap: 0.5rem; margin-bottom: 0.5rem; }
.recent > button { margin-top: 0.75rem; }

/* It explains what is about to happen, so that it goes when something does. */
.results:has(> :is(#key, #trouble, #progress, #answer):not([hidden])) #how { display: none; }
#how .stages { margin-bottom: -1.1rem; }
@media (max-width: 39.99rem) {
  .brand > span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
@media (hover: hover) and (pointer: fine) {
  .take { display: none; }
  .drop-hint { display: block; }
}
@media (min-width: 60rem) {
  .columns { grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 1.5rem; align-items: start; }
  .card { padding: 1.6rem; }
  .hero { padding: 1.5rem 0 1.75rem; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
`;
