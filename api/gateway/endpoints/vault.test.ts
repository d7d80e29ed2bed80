import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError } from '../../config.ts';
import { Vault, openVault } from './vault.ts';

test('opens what it sealed, for its owner alone', () => {
  const vault = new Vault(randomBytes(32));
  const sealed = vault.seal('sk-secret', 'end_1');
  expect(sealed.toString('latin1')).not.toContain('secret');
  expect(vault.open(sealed, 'end_1')).toBe('sk-secret');
  expect(() => vault.open(sealed, 'end_2')).toThrow();
  expect(() => new Vault(randomBytes(32)).open(sealed, 'end_1')).toThrow();
  sealed[sealed.length - 1] ^= 1;
  expect(() => vault.open(sealed, 'end_1')).toThrow();
});

test('keeps one key in the data folder, readable by its owner', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'vault-'));
  const config = { dataDir, secretKey: undefined, production: false };
  const sealed = (await openVault(config)).seal('sk-secret', 'end_1');
  expect((await openVault(config)).open(sealed, 'end_1')).toBe('sk-secret');
  expect((await stat(join(dataDir, 'secret.key'))).mode & 0o077).toBe(0);
  await expect(openVault({ ...config, production: true })).rejects.toThrow(ConfigError);
  await rm(dataDir, { recursive: true });
});
