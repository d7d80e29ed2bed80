import type { spawn as spawnProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, expect, test, vi } from 'vitest';
import { startDemoProviders } from './provider_processes.ts';
import type { DemoProviders } from './provider_processes.ts';

const spawned: (number | undefined)[] = vi.hoisted(() => []);
vi.mock('node:child_process', async (original) => {
  const real = await original<{ spawn: typeof spawnProcess }>();
  const spawn = (...given: Parameters<typeof spawnProcess>) => {
    const child = real.spawn(...given);
    spawned.push(child.pid);
    return child;
  };
  return { ...real, spawn };
});

const dataDir = mkdtempSync(join(tmpdir(), 'demo-providers-'));
const log = pino({ level: 'silent' });
const started: DemoProviders[] = [];
afterAll(async () => {
  for (const providers of started) await providers.close();
  rmSync(dataDir, { recursive: true });
});

async function start(): Promise<DemoProviders> {
  const providers = await startDemoProviders({ dataDir, single: true, host: '127.0.0.1' }, log);
  started.push(providers);
  return providers;
}
const modelsOf = async (providers: DemoProviders, provider: string): Promise<number> => (await fetch(`${providers.endpointUrl(provider)}/models`)).status;

test('serve each provider under its own path, at the same ports after a restart', async () => {
  const first = await start();
  expect(new Set(first.addresses).size).toBe(3);
  expect(await modelsOf(first, 'verda')).toBe(200);
  expect(await modelsOf(first, 'lambda')).toBe(200);
  expect(() => first.endpointUrl('nobody')).toThrow('no provider nobody');
  await first.close();
  await expect(modelsOf(first, 'verda')).rejects.toThrow();
  const second = await start();
  expect(second.addresses).toEqual(first.addresses);
  await second.close();
});

test('move when a port is taken', async () => {
  const before = await start();
  await before.close();
  const port = Number(before.addresses[0].split(':')[1]);
  const thief = createServer();
  await new Promise<void>((listening) => thief.listen(port, '127.0.0.1', listening));
  const after = await start();
  expect(after.addresses[0]).not.toBe(before.addresses[0]);
  expect(after.addresses.slice(1)).toEqual(before.addresses.slice(1));
  await after.close();
  await new Promise((closed) => thief.close(closed));
});

test('lead process groups of their own, so that a signal to the group of the server passes them by', async () => {
  spawned.length = 0;
  const providers = await start();
  expect(spawned).toHaveLength(3);
  for (const pid of spawned) expect(process.kill(-Number(pid), 0)).toBe(true);
  await providers.close();
});
