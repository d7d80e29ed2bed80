/** Credentials of endpoints at rest: AES-256-GCM under a key that is not in the database. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../config.ts';
import type { Config } from '../../config.ts';

const FORMAT = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + IV_BYTES + TAG_BYTES;
const KEY_FILE = 'secret.key';

export class Vault {
  private readonly key: Buffer;

  /** @param key 32 bytes */
  constructor(key: Buffer) {
    this.key = key;
  }

  /** @param owner what the secret belongs to; it opens for no other */
  seal(secret: string, owner: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv).setAAD(Buffer.from(owner));
    const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), iv, cipher.getAuthTag(), text]);
  }

  /** @throws Error when it was sealed under another key or for another owner, or was changed */
  open(sealed: Buffer, owner: string): string {
    if (sealed.length < HEADER_BYTES || sealed[0] !== FORMAT) throw new Error('not a sealed credential');
    const iv = sealed.subarray(1, 1 + IV_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.key, iv).setAAD(Buffer.from(owner)).setAuthTag(sealed.subarray(1 + IV_BYTES, HEADER_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(HEADER_BYTES)), decipher.final()]).toString('utf8');
  }
}

/** The key of the environment; in development one that is made once and kept in the data folder. @throws ConfigError */
export async function openVault(config: Pick<Config, 'secretKey' | 'dataDir' | 'production'>): Promise<Vault> {
  if (config.secretKey !== undefined) return new Vault(Buffer.from(config.secretKey, 'hex'));
  if (config.production) throw new ConfigError('SECRET_KEY: is needed with NODE_ENV=production');
  const file = join(config.dataDir, KEY_FILE);
  await mkdir(config.dataDir, { recursive: true });
  try {
    await writeFile(file, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const key = Buffer.from((await readFile(file, 'utf8')).trim(), 'hex');
  if (key.length !== 32) throw new ConfigError(`${file}: must hold 64 hexadecimal digits`);
  return new Vault(key);
}
