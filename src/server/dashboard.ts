import { existsSync, readFileSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the page is built to. It is a client like any other: nothing of it is imported here. */
const built = fileURLToPath(new URL('../../dashboard/dist/', import.meta.url));

/** Nothing but what is served here: no inline script or style, no other site, no frame around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const notBuilt = `<!doctype html><title>Callwell</title><p>The dashboard is not built. Run: npm run build</p>`;

/** Answers for the web page: its files, and the page itself for every other path that a browser navigates to. */
export function openDashboard(directory = built) {
  let stamp: string | null = null;
  let known = new Set<string>();
  const contents = new Map<string, Buffer>();

  /** Looks again when the page was built anew. */
  function look(): void {
    const file = join(directory, 'stamp');
    const found = existsSync(file) ? readFileSync(file, 'utf8') : null;
    if (found === stamp) return;
    stamp = found;
    contents.clear();
    const files = found === null ? [] : readdirSync(directory, { recursive: true, encoding: 'utf8' });
    known = new Set(files.map((name) => name.replaceAll('\\', '/')));
  }

  function read(file: string): Buffer {
    const content = contents.get(file) ?? readFileSync(join(directory, file));
    contents.set(file, content);
    return content;
  }

  /** Whether the request was for the page, and is answered. */
  return function serve(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    const path = (request.url ?? '/').split('?')[0]!.slice(1);
    if (!path.startsWith('assets/')) look();
    const isFile = known.has(path) && extname(path) in contentTypes;
    const isPage = path === '' || (request.headers.accept?.includes('text/html') ?? false);
    if (!isFile && !isPage) return false;
    const file = isFile ? path : 'index.html';
    const [form, encoding] = formOf(file, request.headers['accept-encoding'] ?? '', known);
    const body = known.has(form) ? read(form) : Buffer.from(notBuilt);
    response.writeHead(known.has(form) ? 200 : 503, {
      ...headersOf(file),
      'content-length': body.length,
      ...(encoding === null ? {} : { 'content-encoding': encoding }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    return true;
  };
}

/** The smallest form of a file that the client can read. */
function formOf(file: string, accepted: string, known: Set<string>): [file: string, encoding: string | null] {
  if (/\bbr\b/.test(accepted) && known.has(`${file}.br`)) return [`${file}.br`, 'br'];
  if (/\bgzip\b/.test(accepted) && known.has(`${file}.gz`)) return [`${file}.gz`, 'gzip'];
  return [file, null];
}

const headersOf = (file: string): Record<string, string> => ({
  'content-type': contentTypes[extname(file)]!,
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  vary: 'accept-encoding',
  // The names of assets hold a hash of their content.
  'cache-control': file.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
});
