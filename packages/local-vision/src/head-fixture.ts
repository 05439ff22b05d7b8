// Heads that nobody trained, for tests.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backbonePackages } from './backbone-packages.ts';
import { toBase64, type HeadFile } from './head.ts';

export const classes = ['carton', 'food', 'glass', 'metal', 'paper', 'plastic', 'textile', 'wood'];
/** Of both networks together. */
const features = 3072;

/** Weights that make every photo some mixture, for the networks that are installed. */
export function madeUpHead(changes: Partial<HeadFile> = {}): HeadFile {
  return {
    format: 1,
    version: 'made-up',
    classes,
    backbones: [
      {
        id: 'open-images-mobilenet',
        package: backbonePackages['open-images-mobilenet'].package,
        checksum: 'd0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6',
      },
      {
        id: 'nsfw-mobilenet-mid',
        package: backbonePackages['nsfw-mobilenet-mid'].package,
        checksum: 'fee38f0bcbad1a223b8301c014bbf78984365aef5ab08fc3289ed4229ab67f0e',
      },
    ],
    weights: toBase64(Float32Array.from({ length: features * classes.length }, (_, index) => Math.sin(index * index))),
    bias: classes.map(() => 0),
    temperature: 1,
    energies: Array.from({ length: 99 }, (_, index) => index / 20),
    trained: {
      date: '2026-01-01',
      photos: 1,
      perClass: {},
      figures: { accuracy: 0, accuracyAt70: 0, calibrationError: 0, unknownKinds: null },
    },
    ...changes,
  };
}

/** Writes a head where `openLocalVision` can read it. */
export function writeHead(head: HeadFile): { readonly path: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'bunri-head-'));
  const path = join(folder, 'head.json');
  writeFileSync(path, JSON.stringify(head));
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
