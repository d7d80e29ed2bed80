import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Entries as they stand in Vite's manifest; everything they import statically counts. */
export interface Budget {
  entries: string[];
  maximumKb: number;
}
interface ManifestChunk {
  file: string;
  css?: string[];
  imports?: string[];
}
type Manifest = Record<string, ManifestChunk>;

/** The files a browser must load before these entries run. */
function filesOf(manifest: Manifest, entries: readonly string[]): Set<string> {
  const files = new Set<string>();
  const visit = (name: string): void => {
    const chunk = manifest[name];
    if (chunk === undefined) throw new Error(`budget names an unknown entry: ${name}`);
    if (files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const css of chunk.css ?? []) files.add(css);
    for (const imported of chunk.imports ?? []) visit(imported);
  };
  for (const entry of entries) visit(entry);
  return files;
}

/** Sizes in kB (1000 bytes) after brotli, by budget name. */
function measure(folder: string, budgets: Record<string, Budget>): Record<string, number> {
  const manifest = JSON.parse(readFileSync(join(folder, '.vite/manifest.json'), 'utf8')) as Manifest;
  const size = (file: string): number => brotliCompressSync(readFileSync(join(folder, file))).length;
  const sizes: Record<string, number> = {};
  for (const [name, budget] of Object.entries(budgets)) {
    let bytes = size('index.html');
    for (const file of filesOf(manifest, budget.entries)) bytes += size(file);
    sizes[name] = Math.round(bytes / 100) / 10;
  }
  return sizes;
}

/** Fails the build when a route grows beyond its budget, so that growth is a decision; leaves the sizes in `.vite/sizes.json`. */
export function budgets(limits: Record<string, Budget>): Plugin {
  let folder = '';
  return {
    name: 'budgets',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const sizes = measure(folder, limits);
      writeFileSync(join(folder, '.vite/sizes.json'), JSON.stringify(sizes));
      for (const [name, kb] of Object.entries(sizes)) {
        const maximum = limits[name].maximumKb;
        this.info(`${name}: ${kb} kB brotli of ${maximum}`);
        if (kb > maximum) this.error(`${name} is ${kb} kB brotli, its budget is ${maximum}`);
      }
    },
  };
}
