import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/*
 * Builds dashboard/dist, unless it is there already and made of the same files. `npm ci` and `npm start` ask for it with
 * --quietly: what goes wrong is told, and the program starts without its web page.
 */
// Whoever asks for it, tests too, is given what is served: else React would build in what helps its developers.
process.env['NODE_ENV'] = 'production';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dashboard/dist');
const stampFile = join(dist, 'stamp');
const isQuiet = process.argv.includes('--quietly');

/** What the page is made of, in one number. */
function stamp(): string {
  const hash = createHash('sha256');
  const sources = readdirSync(join(root, 'dashboard'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(dist))
    .toSorted();
  for (const path of [...sources, join(root, 'package-lock.json')])
    hash.update(path.slice(root.length)).update(readFileSync(path));
  return hash.digest('hex');
}

async function build(): Promise<void> {
  const made = stamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === made) return;
  if (!existsSync(join(root, 'node_modules/vite'))) {
    throw new Error('it is built with development dependencies: run npm ci without --omit=dev');
  }
  const vite = await import('vite');
  await vite.build({
    root: join(root, 'dashboard'),
    configFile: false,
    logLevel: 'warn',
    // No file becomes part of another one as data: our policy would not load it.
    build: {
      outDir: dist,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 1_000,
      target: 'es2022',
      modulePreload: { polyfill: false },
    },
    oxc: { jsx: { runtime: 'automatic', importSource: 'react' } },
  });
  compress();
  writeFileSync(stampFile, made);
}

/** Each text beside its compressed forms, so that the server compresses nothing. */
function compress(): void {
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(js|css|html|svg)$/.test(file),
  );
  for (const file of files) {
    const content = readFileSync(join(dist, file));
    writeFileSync(join(dist, `${file}.br`), brotliCompressSync(content));
    writeFileSync(join(dist, `${file}.gz`), gzipSync(content, { level: 9 }));
  }
}

await build().catch((error: unknown) => {
  process.stderr.write(`The dashboard was not built: ${(error as Error).message}\n`);
  if (!isQuiet) process.exitCode = 1;
});
