import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { webApp } from './static_files.ts';

const PAGE = '<!doctype html><title>app</title>';
let folder: string;
let server: Server;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ccx-web-'));
  mkdirSync(join(folder, 'web', 'assets'), { recursive: true });
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'web', 'index.html'), PAGE);
  writeFileSync(join(folder, 'web', 'theme.js'), 'theme');
  writeFileSync(join(folder, 'web', 'assets', 'index-BxY12_aZ.js'), 'code');
  writeFileSync(join(folder, 'web', 'assets', 'index-BxY12_aZ.js.br'), brotliCompressSync('code'));
  const app = express();
  app.use(webApp(join(folder, 'web')));
  app.use((_request, response) => void response.status(404).end('none'));
  server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function get(path: string, encoding = 'identity', method = 'GET') {
  const response = await fetch(url + path, { method, headers: { 'accept-encoding': encoding } });
  return { status: response.status, text: await response.text(), header: (name: string) => response.headers.get(name) };
}

test('serves the page for every path of the app, never stored', async () => {
  for (const path of ['/', '/trade/H100-SXM-80.us-east.20261201T14Z', '/login?next=/trade', '/index.html']) {
    const answer = await get(path);
    expect([path, answer.status, answer.text, answer.header('cache-control')]).toEqual([path, 200, PAGE, 'no-cache']);
  }
});

test('serves a hashed file for ever, compressed for who can read it', async () => {
  const plain = await get('/assets/index-BxY12_aZ.js');
  expect([plain.text, plain.header('content-encoding'), plain.header('cache-control')]).toEqual(['code', null, 'public, max-age=31536000, immutable']);
  const small = await get('/assets/index-BxY12_aZ.js', 'gzip, br');
  expect([small.text, small.header('content-encoding'), small.header('content-type'), small.header('vary')]).toEqual(['code', 'br', 'text/javascript; charset=utf-8', 'accept-encoding']);
  expect((await get('/theme.js', 'br')).header('cache-control')).toBe('no-cache');
});

test('the paths of the api are no pages, nor are files that are not there', async () => {
  for (const path of ['/api/v1/nothing', '/v1/models', '/metrics', '/openapi.json', '/socket.io/x', '/assets/gone-BxY12_aZ.js', '/assets/index-BxY12_aZ.js.map']) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
  expect((await get('/trade', 'identity', 'POST')).status).toBe(404);
});

test('nothing outside of the folder is reached', async () => {
  for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/assets/..%2f..%2fsecret.txt', '/%00', '/%E0%A4%A']) {
    expect((await get(path)).text).not.toContain('secret');
  }
});
