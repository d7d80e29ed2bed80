/**
 * `npm run projections -- status | rebuild [name...] | audit`: how far the tables of the past have
 * come, building them again from the journal, and holding every balance against its postings.
 */
import pg from 'pg';
import { accountRef } from '../../engine/ledger/accounts.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { readRows, requireRowsFrom } from '../../db/journal_reader.ts';
import { openPostgres } from '../../db/postgres.ts';
import { PROJECTIONS } from '../../db/projections/index.ts';
import { Auditor } from '../../db/projections/auditor.ts';
import { readPositions, resetProjections } from '../../db/projections/positions.ts';
import type { Projection } from '../../db/projections/projection.ts';
import { Projector } from '../../db/projections/projector.ts';
import { readConfig } from '../config.ts';
import { UsageError, exitCodeOf, helpOnAsk } from './arguments.ts';

const USAGE = `usage: npm run projections -- status
       npm run projections -- rebuild [${PROJECTIONS.map(({ name }) => name).join('|')}]...
       npm run projections -- audit`;
const POLL_MILLIS = 250;

interface Connection {
  client: pg.Client;
  url: string;
}

async function journalEnd(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ last: string }>('select coalesce(max(last_sequence), 0) as last from journal');
  return Number(rows[0].last);
}

async function status({ client }: Connection): Promise<number> {
  const end = await journalEnd(client);
  for (const { name, version, sequence } of await readPositions(client)) {
    console.log(`${name.padEnd(10)} version ${version}  at ${sequence} of ${end}${sequence < end ? `, ${end - sequence} behind` : ''}`);
  }
  return 0;
}

function chosen(names: readonly string[]): readonly Projection[] {
  const unknown = names.find((name) => !PROJECTIONS.some((projection) => projection.name === name));
  if (unknown !== undefined) throw new UsageError(USAGE, `there is no projection ${unknown}`);
  return names.length === 0 ? PROJECTIONS : PROJECTIONS.filter(({ name }) => names.includes(name));
}

/** A running server does the work; without one it is done here. Either way it ends when all is there. */
async function rebuild({ client, url }: Connection, names: readonly string[]): Promise<number> {
  const projections = chosen(names);
  const end = await journalEnd(client);
  await requireRowsFrom(client, 1);
  await resetProjections(client, projections);
  const projector = await Projector.open({ url });
  const progress = (sequence: number): void => console.error(`${sequence} of ${end}`);
  if (projector === undefined) await watch(client, projections, end, progress);
  else await projector.catchUp(progress).finally(() => projector.close());
  console.log(`built again to ${end}: ${projections.map(({ name }) => name).join(', ')}`);
  return 0;
}

async function watch(client: pg.Client, projections: readonly Projection[], end: number, onProgress: (sequence: number) => void): Promise<void> {
  for (;;) {
    const positions = (await readPositions(client)).filter(({ name }) => projections.some((projection) => projection.name === name));
    const sequence = Math.min(...positions.map((position) => position.sequence));
    if (sequence >= end) return;
    onProgress(sequence);
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
  }
}

/** Reads the ledger's projection at one moment, and the journal up to exactly where it stands. */
async function audit({ client }: Connection): Promise<number> {
  await requireRowsFrom(client, 1);
  await client.query('begin isolation level repeatable read, read only');
  const position = (await readPositions(client)).find(({ name }) => name === 'ledger')?.sequence ?? 0;
  const { rows: balances } = await client.query<{ account: number; owner: string; balance: string }>('select account, owner, balance from projections.ledger_balances');
  const auditor = new Auditor();
  for await (const row of readRows(client, 1)) {
    if (row.firstSequence > position) break;
    auditor.add(decodeEventBytes(row.events));
  }
  await client.query('rollback');
  const differences = auditor.differences(balances.map(({ account, owner, balance }) => [accountRef(account, Number(owner)), Number(balance)]));
  for (const line of [...auditor.findings, ...differences]) console.log(line);
  for (const [ledger, sum] of Object.entries(auditor.trialBalance())) console.log(`${ledger} sums to ${sum}`);
  const sound = auditor.findings.length === 0 && differences.length === 0 && Object.values(auditor.trialBalance()).every((sum) => sum === 0n);
  console.log(`${auditor.transactions} transactions to ${position}: ${sound ? 'every one balances, every account is what its postings say' : 'NOT SOUND'}`);
  return sound ? 0 : 1;
}

async function main(): Promise<number> {
  helpOnAsk(USAGE);
  const [command, ...names] = process.argv.slice(2);
  const commands: Record<string, ((connection: Connection) => Promise<number>) | undefined> = { status, rebuild: (connection) => rebuild(connection, names), audit };
  const run = commands[command ?? ''];
  if (run === undefined || (names.length > 0 && command !== 'rebuild')) throw new UsageError(USAGE);
  chosen(names);
  const { databaseUrl, dataDir } = readConfig(process.env);
  const postgres = await openPostgres({ databaseUrl, dataDir, say: (line) => console.error(line) });
  try {
    return await connected(postgres.url, run);
  } finally {
    if (postgres.started) await postgres.stop({ onlyIfIdle: true });
  }
}

async function connected(url: string, run: (connection: Connection) => Promise<number>): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ present: boolean }>(`select to_regclass('projections.positions') is not null as present`);
    if (!rows[0].present) throw new Error('this database holds no projections: no server has run on it');
    return await run({ client, url });
  } finally {
    await client.end();
  }
}

process.exitCode = await exitCodeOf(main);
