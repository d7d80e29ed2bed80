/** The built web app: hashed files for ever, the page never, compressed copies where the build made them. */
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};
/** The smaller first. */
const ENCODINGS = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const;
const HASHED = /[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;
/** Paths that belong to the api and never to a page. */
const NOT_PAGES = /^\/(api|v1|socket\.io|docs|openapi\.json|healthz|readyz|metrics)(\/|$)/;

/** @param folder where the build put the app; files that appear later are not served */
export function webApp(folder: string): RequestHandler {
  const files = listFiles(folder);
  return (request, response, next) => {
    if ((request.method !== 'GET' && request.method !== 'HEAD') || NOT_PAGES.test(request.path)) return void next();
    const name = request.path === '/' ? 'index.html' : decodedName(request.path);
    if (name !== undefined && files.has(name)) return sendFile({ folder, files, name }, request, response, next);
    // A page of the app, unless it asks for a file. The name of an instrument has dots and is no file.
    if (extname(request.path) in TYPES || request.path.startsWith('/assets/') || !files.has('index.html')) return void next();
    return sendFile({ folder, files, name: 'index.html' }, request, response, next);
  };
}

function listFiles(folder: string): ReadonlySet<string> {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return new Set(entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(join(folder).length + 1)));
  } catch {
    return new Set();
  }
}

/** Only names of the listing are ever opened, so a path cannot leave the folder. */
function decodedName(path: string): string | undefined {
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    return undefined;
  }
}

interface Found {
  folder: string;
  files: ReadonlySet<string>;
  name: string;
}

function sendFile({ folder, files, name }: Found, request: Request, response: Response, next: NextFunction): void {
  const encoding = ENCODINGS.find((candidate) => files.has(name + candidate.suffix) && request.acceptsEncodings(candidate.name) !== false);
  response.setHeader('content-type', TYPES[extname(name)] ?? 'application/octet-stream');
  response.setHeader('vary', 'accept-encoding');
  response.setHeader('cache-control', HASHED.test(name) && name !== 'index.html' ? 'public, max-age=31536000, immutable' : 'no-cache');
  if (encoding !== undefined) response.setHeader('content-encoding', encoding.name);
  response.sendFile(name + (encoding?.suffix ?? ''), { root: folder, cacheControl: false, dotfiles: 'allow' }, (error) => {
    if (error !== undefined && !response.headersSent) next(error);
  });
}
