// Checks the knowledge data: `check-main.ts [--write]`. With --write, counts the tokens of every rule first and writes them.
import { writeFile } from 'node:fs/promises';
import { wasteCategories } from '@bunri/queue-contracts';
import { buildCatalogue, dataFiles } from './catalogue.ts';
import { allRules, findProblems } from './check-data.ts';
import { countRule } from './token-counts.ts';

const [flag, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (flag !== undefined && flag !== '--write')) {
  process.stderr.write('usage: npm run knowledge:check [-- --write]\n');
  process.exit(64);
}

const catalogue = buildCatalogue(dataFiles);
let { tokenCounts } = dataFiles;
if (flag === '--write') {
  const counted = allRules(catalogue).map((rule) => [rule.id, countRule(rule)] as const);
  tokenCounts = Object.fromEntries(counted);
  const lines = counted.map(([id, count]) => `  ${JSON.stringify(id)}: ${JSON.stringify(count)}`);
  await writeFile(new URL('../data/token-counts.json', import.meta.url), `{\n${lines.join(',\n')}\n}\n`);
}

const problems = findProblems({ ...dataFiles, tokenCounts });
if (problems.length > 0) {
  process.stdout.write(`${problems.join('\n')}\n${problems.length} problems\n`);
  process.exit(1);
}
const { items } = catalogue;
const aliases = items.flatMap(({ aliases: { ko, en } }) => [...ko, ...en]);
const counts = wasteCategories.map((category) => {
  const own = items.filter(({ wasteCategory }) => wasteCategory === category);
  return `  ${category}: ${own.length} items, ${own.flatMap(({ rules }) => rules).length} rules\n`;
});
process.stdout.write(
  `${items.length} items, ${allRules(catalogue).length} rules, ${aliases.length} aliases, version ${catalogue.version}\n${counts.join('')}`,
);
