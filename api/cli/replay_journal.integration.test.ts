import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import pg from 'pg';
import type { Command } from '../../engine/commands.ts';
import { PostgresJournal } from '../../db/journal.ts';
import { freshDatabase } from '../../db/test/fresh_database.ts';
import type { FreshDatabase } from '../../db/test/fresh_database.ts';
import { AllocationAuthoriser } from '../sequencer/authoriser.ts';
import { SequencerClient } from '../sequencer/client.ts';
import { TEST_EPOCH } from '../sequencer/in_process.ts';
import { Leader } from '../sequencer/leader.ts';
import type { Request } from '../sequencer/messages.ts';
import { recover } from '../sequencer/recovery.ts';
import { replayInThreads } from '../sequencer/replay_thread.ts';
import { WORKER_FILE } from '../sequencer/start.ts';
import { replayJournal } from './replay_journal.ts';

let fresh: FreshDatabase;
let url: string;
beforeEach(async () => {
  fresh = await freshDatabase();
  ({ url } = fresh);
});
afterEach(() => fresh.drop());

async function replay(from?: number): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await replayJournal({ databaseUrl: url, dataDir: '/nowhere', from, print: (line) => lines.push(line), say: () => undefined });
  return { code, lines };
}

/** A market in this thread, led over the test's database. */
async function market(): Promise<SequencerClient> {
  const client = new SequencerClient({ channel: { post: (messages: Request[]) => leader.receive(messages) } });
  const leader = new Leader(
    { url, holder: 'test', resume: false, clock: 'manual', manualStart: TEST_EPOCH, snapshotEvery: 1_000_000, snapshotPauseMillis: 0, leadWaitMillis: 0, publishFrom: undefined, standby: false, letsFirst: false, alone: false, markFolder: undefined, acceptedEnd: undefined },
    { channel: { post: (replies) => client.receive(replies) }, authoriser: new AllocationAuthoriser(), say: () => undefined, snapshotFile: new URL('file:///none') },
  );
  await leader.start();
  return client;
}
const submit = (port: SequencerClient, command: Command) => port.submit({ command, idempotencyKey: '', bodyHash: '' });

describe('replay of a journal', () => {
  test('comes to the running market\'s state hash, beside it and from a snapshot', async () => {
    const first = await market();
    await submit(first, { type: 'registerCompany', name: 'a', role: 'borrower', group: '' });
    await first.close();
    const port = await market();
    await submit(port, { type: 'deposit', company: 0, amount: 5, reference: '' });
    const { stateHash, sequence } = await port.query('status', {});
    const { code, lines } = await replay();
    expect(code).toBe(0);
    expect(lines).toEqual([expect.stringContaining(`replayed ${sequence} commands`), `sequence ${sequence}`, 'engine_time 2026-12-01T00:00:00.000Z', `state_hash ${stateHash}`, 'invariants hold']);
    const later = await replay(sequence);
    expect(later.lines[0]).toBe(`snapshot at ${sequence - 1}`);
    expect(later.lines.slice(2)).toEqual(lines.slice(1));
    await port.close();
  });

  test('tells where commands do not cause the recorded events', async () => {
    const port = await market();
    await submit(port, { type: 'registerCompany', name: 'a', role: 'borrower', group: '' });
    await port.close();
    // A whole chain over a row whose events are another program's.
    const journal = await PostgresJournal.lead({ url, holder: 'test' });
    const row = await journal.rowOf(2);
    if (row === undefined) throw new Error('the row is missing');
    await journal.append({ ...row, firstSequence: 3, lastSequence: 3 });
    await journal.close();
    await expect(replay()).rejects.toThrow('replay differs from the journal at sequence 3: the events are not the same');
  });

  test('in threads alone, too, tells a row that is not what it was from one that is executed otherwise', async () => {
    const port = await market();
    await submit(port, { type: 'registerCompany', name: 'abc', role: 'borrower', group: '' });
    await port.close();
    const never = { rowOf: () => Promise.reject(new Error('not asked')), rows: () => { throw new Error('not asked'); } };
    const inThreads = () => recover({ journal: never, replay: replayInThreads(WORKER_FILE, url) });
    expect((await inThreads()).replayedCommands).toBe(2);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const rename = (from: string, to: string) => client.query(`update journal set commands = decode(replace(encode(commands, 'hex'), $1, $2), 'hex')`, [from, to].map((text) => Buffer.from(text).toString('hex')));
    // Another name is executed as well as the first; what is no JSON cannot be.
    for (const other of ['"xyz"', '{{{{{']) {
      await rename('"abc"', other);
      await expect(inThreads()).rejects.toThrow(/the journal is damaged at sequence \d: its hash does not match/);
      await rename(other, '"abc"');
    }
    await client.end();
  });

  test('of an empty journal is an empty market', async () => {
    expect((await replay()).lines[1]).toBe('sequence 0');
  });
});
