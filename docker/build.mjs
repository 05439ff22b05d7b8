// Bundles apps into out/<app>/, each a folder that runs by itself: `node docker/build.mjs [app ...]`, all without a name.
// A bundle starts in half the time of the sources and needs a tenth less memory; what is compiled of it beforehand saves
// another 15 to 40 % of a start's CPU.
import { execFileSync } from 'node:child_process';
import { cp, glob, mkdir, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { compileBundle } from './compile-bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What cannot be bundled: native code, and optional modules that a library tries to load and does without. */
const external = [
  'sharp',
  'pg',
  'redis',
  'bullmq-otel',
  'msgpackr-extract',
  'onnxruntime-node',
  '@huggingface/transformers',
];

/**
 * Apps that run a model of their own, by the package that has it: its process is a second bundle, and beside both lie its
 * head and the files of packages that it reads.
 */
const models = {
  'vision-worker': {
    folder: 'packages/local-vision',
    native: ['sharp'],
    // They run models of one's own, with packages that whoever has such a model adds to the image.
    programs: {
      'classifier-predictor': 'packages/onnx-vision/src/classifier-predictor.ts',
      'zero-shot-predictor': 'packages/onnx-vision/src/zero-shot-predictor.ts',
    },
    files: {
      '@mediapipe/objectron': ['package.json', 'objectron_solution_packed_assets{.data,_loader.js}'],
      '@tensorflow/tfjs-backend-wasm': ['package.json', 'dist/*.wasm'],
      nsfwjs: [
        'package.json',
        'LICENSE',
        'dist/cjs/models/mobilenet_v2_mid.js',
        'dist/models/package.json',
        'dist/models/mobilenet_v2_mid/*',
      ],
    },
  },
};

/**
 * Writes letters outside Latin-1 as escapes. esbuild does so in strings, but not in regular expressions; and a single such
 * letter makes V8 keep the whole bundle in two bytes a character.
 */
const latin1Sources = {
  name: 'latin-1 sources',
  setup({ onLoad }) {
    onLoad({ filter: /\/(apps|packages)\/[^/]+\/src\/.+\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const escape = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
      return { contents: text.replaceAll(/[\u0100-\uffff]/g, escape), loader: 'ts' };
    });
  },
};

const indexFile = 'knowledge-index.json';

/** Where an app looks things up: the search index is collected now and lies beside the bundle, so that no process has to collect it. */
const collectedIndex = {
  name: 'collected index',
  setup({ onLoad }) {
    onLoad({ filter: /\/packages\/knowledge\/src\/shipped-index\.ts$/ }, () => ({
      contents: `
        import { readFileSync } from 'node:fs';
        export const shippedIndex = () => JSON.parse(readFileSync(new URL('${indexFile}', import.meta.url), 'utf8'));
      `,
      loader: 'js',
    }));
  },
};

const dataFolder = 'knowledge-data';

/** The rules lie beside the bundle as they are, and are read: as text of a program they take four times the room and more time. */
const ruleFiles = {
  name: 'rule files',
  setup({ onLoad }) {
    onLoad({ filter: /\/packages\/knowledge\/data\/[^/]+\.json$/ }, ({ path }) => ({
      contents: `
        import { readFileSync } from 'node:fs';
        export default JSON.parse(readFileSync(new URL('${dataFolder}/${basename(path)}', import.meta.url), 'utf8'));
      `,
      loader: 'js',
    }));
  },
};

/** The scripts of the api's pages are bundled now, and stand in the places of the modules that would bundle them. */
const pageScripts = {
  name: 'page scripts',
  setup({ onLoad }) {
    onLoad({ filter: /\/apps\/api\/src\/web\/(page|ops)-script\.ts$/ }, async ({ path }) => {
      const [[name, make]] = Object.entries(await import(path)).filter(([each]) => /^bundle\w+Script$/.test(each));
      const text = JSON.stringify(await make());
      return { contents: `export const ${name} = () => Promise.resolve(${text});`, loader: 'js' };
    });
  },
};

/** Files of packages that an app sends to browsers as they are. */
const sentFiles = {
  api: { '@bull-board/ui': ['package.json', 'dist/index.ejs', 'dist/static/**/*.*'] },
};

const apps = (await readdir(`${root}/apps`, { withFileTypes: true })).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !apps.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no app ${unknown.join(', ')}; there are ${apps.join(', ')}.\n`);
  process.exit(64);
}
for (const app of asked.length > 0 ? asked : apps) await bundle(app);

/** @param {string} app folder below apps/ */
async function bundle(app) {
  const outdir = `${root}/out/${app}`;
  await rm(outdir, { recursive: true, force: true });
  const model = models[app];
  // The rest of a bundle is a function, whether it is required or run as a script, with what a module is given.
  const head =
    '(typeof module === "object" ? module : {}).exports = function (exports, require, module, __filename, __dirname) {';
  const result = await buildEntries({ bundle: `apps/${app}/src/main.ts` }, outdir, { head, foot: '};' });
  if (model) await buildEntries({ predictor: `${model.folder}/src/predictor.ts`, ...model.programs }, outdir);

  const output = result.metafile.outputs[`out/${app}/bundle.cjs`];
  const kept = Object.entries(output.inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : []));
  if (kept.some((file) => file.endsWith('/zod/v4/locales/ko.js'))) {
    throw new Error(
      `The bundle of ${app} has all of zod in all its languages: somewhere it is not imported as "* as z".`,
    );
  }
  const wide = /.{0,40}[\u0100-\uffff]/.exec(await readFile(`${outdir}/bundle.cjs`, 'utf8'));
  if (wide) throw new Error(`The bundle of ${app} has a letter outside Latin-1: ${wide[0]}`);

  const copied = await copyNativePackages(`apps/${app}`, outdir, external);
  if (kept.some((file) => file.endsWith('/shipped-index.ts'))) {
    await writeFile(`${outdir}/${indexFile}`, collectIndex());
    copied.push(indexFile);
  }
  const rules = kept.filter((file) => file.startsWith('packages/knowledge/data/'));
  for (const file of rules) {
    const text = JSON.stringify(JSON.parse(await readFile(`${root}/${file}`, 'utf8')));
    await mkdir(`${outdir}/${dataFolder}`, { recursive: true });
    await writeFile(`${outdir}/${dataFolder}/${basename(file)}`, text);
  }
  if (rules.length > 0) copied.push(dataFolder);
  if (sentFiles[app]) copied.push(...(await copyFiles(`apps/${app}`, sentFiles[app], outdir)));
  if (model) {
    copied.push(...(await copyNativePackages(model.folder, outdir, model.native)));
    copied.push(...(await copyModel(model, outdir)));
  }
  const main = await readFile(`${root}/docker/main.cjs`, 'utf8');
  await writeFile(`${outdir}/main.cjs`, main.replace("'APP'", `'${app}'`));
  await compileBundle(`${outdir}/bundle.cjs`);
  const extra = copied.length > 0 ? ` and ${copied.join(', ')}` : '';
  process.stdout.write(`out/${app}/bundle.cjs ${Math.round(output.bytes / 1024)} KiB${extra}\n`);
}

/** @param around lines before and after the bundle's own */
async function buildEntries(entryPoints, outdir, { head = '', foot = '' } = {}) {
  const result = await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    // To import one of Node's modules reads all of its exports, and that of node:http loads the whole of fetch. To require it
    // does not.
    format: 'cjs',
    supported: { 'dynamic-import': false },
    // CommonJS has no import.meta, by which sources find the files beside them.
    define: { 'import.meta.url': 'bundleUrl' },
    banner: { js: `${head}\nconst bundleUrl = require("node:url").pathToFileURL(__filename).href;` },
    footer: { js: foot },
    // Workspace packages are taken from their sources.
    conditions: ['@bunri/source'],
    external,
    // Names stay, so that a stack trace can be read. Comments go, since they hold letters outside Latin-1.
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [collectedIndex, ruleFiles, pageScripts, latin1Sources],
    // For whoever asks for it: with --enable-source-maps Node loads the map of the whole bundle, 5 MB of memory.
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  // A warning is a module that behaves otherwise in the bundle than in the tests.
  if (result.warnings.length > 0) throw new Error(`The bundle ${outdir} has ${result.warnings.length} warnings.`);
  return result;
}

/** The search index as JSON text. */
function collectIndex() {
  const source = 'packages/knowledge/src/collect-main.ts';
  const options = { cwd: root, maxBuffer: 64 * 1024 * 1024 };
  return execFileSync(process.execPath, ['--conditions=@bunri/source', source], options);
}

/**
 * Copies the packages that the folder's package depends on but that cannot be bundled, as the lock file has installed them.
 * Each comes with its dependencies, which pnpm keeps beside it; so the copies find each other as in a flat node_modules.
 */
async function copyNativePackages(folder, outdir, native) {
  const dependencies = await dependenciesOf(folder);
  const names = native.filter((name) => name in dependencies);
  for (const name of names) {
    const store = dirname(await realpath(`${root}/${folder}/node_modules/${name}`));
    await cp(store, `${outdir}/node_modules`, {
      recursive: true,
      dereference: true,
      filter: (source) => !['.bin', '@types'].includes(basename(source)),
    });
  }
  return names.map((name) => `${name}@${dependencies[name]}`);
}

/** Copies the trained head, and of each package the files that the model's process reads. */
async function copyModel({ folder, files }, outdir) {
  await cp(`${root}/${folder}/head`, `${outdir}/head`, { recursive: true });
  return await copyFiles(folder, files, outdir);
}

/** @param files by package, the patterns of what is copied */
async function copyFiles(folder, files, outdir) {
  const dependencies = await dependenciesOf(folder);
  for (const [name, patterns] of Object.entries(files)) {
    const from = await realpath(`${root}/${folder}/node_modules/${name}`);
    for (const pattern of patterns) {
      let found = 0;
      for await (const path of glob(pattern, { cwd: from })) {
        await cp(`${from}/${path}`, `${outdir}/node_modules/${name}/${path}`, { dereference: true });
        found += 1;
      }
      if (found === 0) throw new Error(`The package ${name} has no file ${pattern}, which ${folder} needs.`);
    }
  }
  return Object.keys(files).map((name) => `files of ${name}@${dependencies[name]}`);
}

async function dependenciesOf(folder) {
  const { dependencies = {} } = JSON.parse(await readFile(`${root}/${folder}/package.json`, 'utf8'));
  return dependencies;
}
