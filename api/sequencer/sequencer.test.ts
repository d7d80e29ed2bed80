import { describe, expect, test, vi } from 'vitest';
import { decodeEnvelopes } from '../../engine/codec/command_codec.ts';
import type { Command, Envelope } from '../../engine/commands.ts';
import { Engine } from '../../engine/engine.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { decodeEvents } from '../../engine/events.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { MemoryJournal } from '../../db/memory_journal.ts';
import type { JournalRecord } from '../../db/journal_record.ts';
import type { Authoriser } from './authoriser_port.ts';
import { ManualClock } from './clock.ts';
import { createInProcessSequencer, TEST_EPOCH } from './in_process.ts';
import { eventOf, Unavailable } from './port.ts';
import type { Ack, CommittedBatch } from './port.ts';

const envelope = (command: Command, idempotencyKey = '', bodyHash = ''): Envelope => ({ command, idempotencyKey, bodyHash });
const register = (name: string): Command => ({ type: 'registerCompany', name, role: 'borrower', group: '' });
const deposit = (amount: number): Command => ({ type: 'deposit', company: 0, amount, reference: '' });

/** A journal whose appends wait for the test. */
class HeldJournal extends MemoryJournal {
  held: (() => void)[] = [];
  override async append(record: JournalRecord): Promise<void> {
    await new Promise<void>((resolve) => this.held.push(resolve));
    await super.append(record);
  }
  /** Lets the oldest append through and waits until what follows from it is done. */
  async let(): Promise<void> {
    this.held.shift()?.();
    await settled();
  }
}
/** Nothing to hold. */
const NO_ALLOCATIONS: Authoriser = {
  load: () => [], committed: () => [], authorise: () => ({ ok: false, reason: 'no_allocation' }), release: () => [], reserve: () => true, releaseReservation: () => undefined, captured: () => [], pendingOf: () => [],
  heldOf: () => 0, reread: () => undefined, allHeld: () => [], rereadAll: () => undefined,
};
/** Events are decoded when they are asked for. */
const told = ({ sequence, now, events, repeated }: Ack) => ({ sequence, now, events, repeated });
const settled = () => new Promise((resolve) => setImmediate(resolve));

const commandsOf = (journal: MemoryJournal) => journal.written.map((row) => decodeEnvelopes(row.commands).map(({ command }) => command.type));

describe('the sequencer', () => {
  test('acknowledges with the command\'s own events, in order of arrival', async () => {
    const port = createInProcessSequencer();
    const [first, second] = await Promise.all([port.submit(envelope(register('a'))), port.submit(envelope(register('b')))]);
    expect(eventOf(first.events, 'companyRegistered')).toMatchObject({ company: 0, name: 'a' });
    expect(eventOf(second.events, 'companyRegistered')).toMatchObject({ company: 1, name: 'b' });
    expect(second.sequence).toBe(first.sequence + 1);
    expect(first.now).toBe(TEST_EPOCH);
    await port.close();
  });

  test('releases nothing before the commit, and collects meanwhile', async () => {
    const journal = new HeldJournal();
    const port = createInProcessSequencer({ journal });
    const order: string[] = [];
    port.onCommitted((batch) => order.push(`batch ${batch.firstSequence}-${batch.lastSequence}`));
    const acks = ['a', 'b', 'c'].map((name, index) =>
      (index === 0 ? Promise.resolve() : settled()).then(() => port.submit(envelope(register(name)))).then((ack) => order.push(`ack ${ack.sequence}`)),
    );
    const balances = settled().then(() => port.query('directory', {})).then((view) => order.push(`${view.companies.length} companies`));
    await settled();
    await settled();
    expect(order).toEqual([]);
    await journal.let();
    expect(order).toEqual(['batch 1-2', 'ack 2']);
    await journal.let();
    await Promise.all([...acks, balances]);
    expect(order).toEqual(['batch 1-2', 'ack 2', 'batch 3-4', 'ack 3', 'ack 4', '3 companies']);
    expect(commandsOf(journal)).toEqual([['tick', 'registerCompany'], ['registerCompany', 'registerCompany']]);
  });

  test('tells the hash of the state, of one copy at a time, while commands go on', async () => {
    const engine = new Engine();
    const copy = vi.spyOn(engine, 'copy');
    const port = createInProcessSequencer({ engine });
    await port.submit(envelope(register('a')));
    const before = { stateHash: engine.stateHash(), sequence: engine.sequence };
    const [first, second] = await Promise.all([port.query('stateHash', {}), port.query('stateHash', {}), port.submit(envelope(register('b')))]);
    const after = { stateHash: engine.stateHash(), sequence: engine.sequence };
    expect(after.stateHash).not.toBe(before.stateHash);
    expect([first, second]).toEqual([after, after]);
    expect(copy).toHaveBeenCalledTimes(1);
    const late = port.query('stateHash', {});
    await settled();
    const later = port.query('stateHash', {});
    await port.close();
    expect(await Promise.all([late, later])).toEqual([after, after]);
  });

  test('goes ahead while a batch is being appended, and lets nothing of that out before both are durable', async () => {
    const journal = new HeldJournal();
    const engine = new Engine();
    const port = createInProcessSequencer({ journal, engine, limits: { aheadItems: 2 } });
    const order: string[] = [];
    port.onCommitted((batch) => order.push(`batch ${batch.firstSequence}-${batch.lastSequence}`));
    const send = (name: string) => port.submit(envelope(register(name))).then((ack) => order.push(`ack ${ack.sequence}`));
    const first = send('a');
    await settled();
    const others = [send('b'), port.query('directory', {}).then((view) => order.push(`${view.companies.length} companies`))];
    await settled();
    await settled();
    expect(engine.sequence).toBe(3);
    others.push(send('c'));
    await settled();
    // One that waits alone is not worth it, and could still be given back.
    expect(engine.sequence).toBe(3);
    expect(order).toEqual([]);
    await journal.let();
    expect(order).toEqual(['batch 1-2', 'ack 2']);
    await journal.let();
    await Promise.all([first, ...others]);
    expect(order).toEqual(['batch 1-2', 'ack 2', 'batch 3-4', 'ack 3', 'ack 4', '2 companies']);
    await port.close();
  });

  test('begins an append with the first of what waits, and applies the rest in slices while it lasts', async () => {
    const journal = new HeldJournal();
    const engine = new Engine();
    const port = createInProcessSequencer({ journal, engine });
    const sent = Array.from({ length: 1_000 }, (_, index) => port.submit(envelope(register(`company ${index}`))));
    await expect.poll(() => engine.sequence).toBe(1_001);
    await journal.let();
    await journal.let();
    expect((await Promise.all(sent)).map(({ sequence }) => sequence)).toEqual(sent.map((_, index) => index + 2));
    const [first, second] = commandsOf(journal);
    expect(first.length).toBeLessThan(500);
    expect(first.length + second.length).toBe(1_001);
    await port.close();
  });

  test('does not settle an hour nor take a resale before the authoriser has heard of the batch that is being appended', async () => {
    const journal = new HeldJournal();
    const heard: string[] = [];
    const authoriser: Authoriser = { ...NO_ALLOCATIONS, captured: (request) => (heard.push(request), []), pendingOf: (hour) => (heard.push(`hour ${hour - TEST_EPOCH / MILLIS_PER_HOUR}`), []), allHeld: () => (heard.push('held'), []) };
    const clock = { now: () => wall };
    let wall = TEST_EPOCH;
    const port = createInProcessSequencer({ journal, authoriser, clock, limits: { aheadItems: 1 } });
    const capture = (request: string) => port.submit(envelope({
      type: 'capture', company: 0, allocation: 9, gpu: 1, request, model: 0, promptTokens: 0, completionTokens: 0, detail: { key: '', endpoint: '', spotFees: 0, estimated: false },
    }));
    const sent = [capture('r')];
    await settled();
    sent.push(capture('s'), port.submit(envelope({ type: 'reportMinute', minute: 0, outcomes: [] })));
    await settled();
    await settled();
    wall += MILLIS_PER_HOUR;
    sent.push(port.submit(envelope(register('a'))));
    await settled();
    expect(heard).toEqual([]);
    for (let rows = 0; rows < 4; rows++) await journal.let();
    await Promise.all(sent);
    expect(heard).toEqual(['r', 's', 'hour 0', 'held']);
    await port.close();
  });

  test('answers a query at its place between commands', async () => {
    const port = createInProcessSequencer();
    await port.submit(envelope(register('a')));
    const [, before, , after] = await Promise.all([
      port.submit(envelope(deposit(5))), port.query('balances', { company: 0 }), port.submit(envelope(deposit(7))), port.query('balances', { company: 0 }),
    ]);
    expect([before.usd, after.usd]).toEqual([5, 12]);
  });

  test('repeats give the original\'s events, and another body is refused', async () => {
    const port = createInProcessSequencer();
    const original = await port.submit(envelope(register('a'), 'key', 'body'));
    await port.submit(envelope(register('b')));
    const repeat = await port.submit(envelope(register('a'), 'key', 'body'));
    expect(told(repeat)).toEqual({ ...told(original), repeated: true });
    const mismatch = await port.submit(envelope(register('c'), 'key', 'other'));
    expect(mismatch.repeated).toBe(false);
    expect(eventOf(mismatch.events, 'rejected')?.code).toBe('idempotency_mismatch');
    const [one, two] = await Promise.all([port.submit(envelope(register('d'), 'twice', 'x')), port.submit(envelope(register('d'), 'twice', 'x'))]);
    expect(told(two)).toEqual({ ...told(one), repeated: true });
    expect((await port.query('directory', {})).companies.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
  });

  test('refuses its own commands from others', async () => {
    const port = createInProcessSequencer();
    await expect(port.submit(envelope({ type: 'tick', now: 1 }))).rejects.toThrow('own command');
  });

  test('tells callers within a second when the journal does not answer; what was not applied is never executed', async () => {
    const journal = new HeldJournal();
    const port = createInProcessSequencer({ journal, clock: { now: () => TEST_EPOCH } });
    const applied = port.submit(envelope(register('applied')));
    await settled();
    const waiting = port.submit(envelope(register('waiting')));
    const begun = performance.now();
    await expect(waiting).rejects.toThrow('does not answer');
    await expect(applied).rejects.toBeInstanceOf(Unavailable);
    expect(performance.now() - begun).toBeLessThan(3_000);
    await expect(port.submit(envelope(register('at once')))).rejects.toBeInstanceOf(Unavailable);
    await journal.let();
    const next = port.submit(envelope(register('after')));
    await settled();
    await journal.let();
    expect(eventOf((await next).events, 'companyRegistered')).toMatchObject({ company: 1, name: 'after' });
    expect((await port.query('directory', {})).companies.map(({ name }) => name)).toEqual(['applied', 'after']);
    await port.close();
  });

  test('gives back what has waited longer than anybody does', async () => {
    const journal = new HeldJournal();
    const port = createInProcessSequencer({ journal, limits: { waitMillis: 20 } });
    const first = port.submit(envelope(register('a')));
    await settled();
    const late = expect(port.submit(envelope(register('b')))).rejects.toThrow('not executed');
    await new Promise((resolve) => setTimeout(resolve, 40));
    await journal.let();
    await first;
    await late;
    expect((await port.query('directory', {})).companies.map(({ name }) => name)).toEqual(['a']);
  });

  test('refuses what its queue cannot hold', async () => {
    const journal = new HeldJournal();
    const port = createInProcessSequencer({ journal, limits: { queue: 2 } });
    const first = port.submit(envelope(register('a')));
    await settled();
    const others = ['b', 'c', 'd'].map((name) => port.submit(envelope(register(name))));
    await expect(others[2]).rejects.toBeInstanceOf(Unavailable);
    await journal.let();
    await journal.let();
    await Promise.all([first, others[0], others[1]]);
  });

  test('stops for good when an append fails', async () => {
    const journal = new HeldJournal();
    const append = () => Promise.reject(new Error('connection lost'));
    const port = createInProcessSequencer({ journal });
    const seen: CommittedBatch[] = [];
    port.onCommitted((batch) => seen.push(batch));
    journal.append = append;
    const inFlight = [port.submit(envelope(register('a'))), port.query('directory', {})];
    for (const call of inFlight) await expect(call).rejects.toBeInstanceOf(Unavailable);
    await expect(port.submit(envelope(register('b')))).rejects.toBeInstanceOf(Unavailable);
    expect(seen).toEqual([]);
  });

  test('closes after what it has taken', async () => {
    const port = createInProcessSequencer();
    const taken = port.submit(envelope(register('a')));
    const closed = port.close();
    await expect(port.submit(envelope(register('b')))).rejects.toBeInstanceOf(Unavailable);
    await closed;
    await expect(taken).resolves.toMatchObject({ repeated: false });
  });
});

describe('engine time', () => {
  const pendingAt: number[] = [];
  const authoriser: Authoriser = { ...NO_ALLOCATIONS, pendingOf: (hour) => (pendingAt.push(hour), []) };

  test('settles each hour at its end, once, also over a long way', async () => {
    const journal = new MemoryJournal();
    const port = createInProcessSequencer({ journal, authoriser, limits: { batchCommands: 8 } });
    await port.submit(envelope(register('a')));
    const target = TEST_EPOCH + 30 * MILLIS_PER_HOUR + 5;
    expect(await port.setClock(target)).toBe(target);
    const hours = Array.from({ length: 30 }, (_, index) => TEST_EPOCH / MILLIS_PER_HOUR + index);
    expect(pendingAt).toEqual(hours);
    const events = journal.written.flatMap((row) => decodeEvents(decodeEventBytes(row.events)));
    expect(events.flatMap((event) => (event.kind === 'hourEnded' ? [event.hour] : []))).toEqual(hours);
    expect(events.filter((event) => event.kind === 'rejected')).toEqual([]);
    expect(journal.written.length).toBeGreaterThan(5);
    // The tick that reaches an hour's end and the hour's settlement stand in one row.
    for (const row of journal.written) {
      decodeEnvelopes(row.commands).forEach(({ command }, index, all) => {
        if (command.type === 'endHour') expect(all[index - 1]?.command).toEqual({ type: 'tick', now: (command.hour + 1) * MILLIS_PER_HOUR });
      });
    }
  });

  test('answers who moved the clock also when what is due takes longer than a command may wait', async () => {
    class Slow extends MemoryJournal {
      override async append(...row: Parameters<MemoryJournal['append']>): Promise<void> {
        await new Promise((resume) => setTimeout(resume, 40));
        return super.append(...row);
      }
    }
    const port = createInProcessSequencer({ journal: new Slow(), authoriser, limits: { batchCommands: 8, waitMillis: 100 } });
    const target = TEST_EPOCH + 30 * MILLIS_PER_HOUR;
    expect(await port.setClock(target)).toBe(target);
  });

  test('never goes back', async () => {
    const port = createInProcessSequencer();
    await port.setClock(TEST_EPOCH + 5_000);
    expect(await port.setClock(TEST_EPOCH + 1_000)).toBe(TEST_EPOCH + 5_000);
    expect((await port.submit(envelope(register('a')))).now).toBe(TEST_EPOCH + 5_000);
  });

  test('lets orders in between while much is due after a clock was moved, and answers who moved it in the end', async () => {
    class Busy extends Engine {
      left = 4;
      override get hasWork(): boolean {
        return this.left > 0;
      }
      override apply(envelope: Envelope): void {
        if (envelope.command.type === 'tick') this.left--;
        super.apply(envelope);
      }
    }
    const port = createInProcessSequencer({ engine: new Busy(), clock: new ManualClock(TEST_EPOCH) });
    const answered: string[] = [];
    const moved = port.setClock(TEST_EPOCH + 60_000).then((now) => answered.push(`clock at ${now - TEST_EPOCH}`));
    const sent = port.submit({ command: { type: 'registerCompany', name: 'late', role: 'borrower', group: '' }, idempotencyKey: '', bodyHash: '' }).then(({ now }) => answered.push(`order at ${now - TEST_EPOCH}`));
    await Promise.all([moved, sent]);
    expect(answered).toEqual(['order at 60000', 'clock at 60000']);
  });

  test('follows a clock that jumps back and beyond 2038', async () => {
    let wall = TEST_EPOCH;
    const port = createInProcessSequencer({ clock: { now: () => wall } });
    const nowAt = async (time: number) => {
      wall = time;
      return (await port.submit(envelope(register(String(time))))).now;
    };
    expect(await nowAt(TEST_EPOCH)).toBe(TEST_EPOCH);
    expect(await nowAt(0)).toBe(TEST_EPOCH);
    const late = Date.UTC(2038, 1, 1);
    wall = late - 1;
    const restarted = createInProcessSequencer({ clock: { now: () => wall } });
    await restarted.submit(envelope(register('a')));
    wall = late + 1;
    expect((await restarted.submit(envelope(register('b')))).now).toBe(late + 1);
    await restarted.close();
    await expect(port.setClock(1)).rejects.toThrow('not manual');
    await port.close();
  });

  test('moves on by itself with a clock that does', async () => {
    let wall = TEST_EPOCH;
    const port = createInProcessSequencer({ clock: { now: () => wall } });
    await port.submit(envelope(register('a')));
    const moved = new Promise<number>((resolve) => port.onCommitted((batch) => resolve(batch.now)));
    wall += 1_500;
    expect(await moved).toBe(TEST_EPOCH + 1_500);
    await port.close();
  });
});

describe('the authoriser', () => {
  test('hears of commits, then of captures, and its releases are sent', async () => {
    const heard: string[] = [];
    const authoriser: Authoriser = {
      ...NO_ALLOCATIONS,
      load: () => [{ type: 'releasePending', allocation: 1, gpu: 2 }],
      committed: (batch) => (heard.push(`committed ${batch.lastSequence}`), []),
      captured: (request) => (heard.push(`captured ${request}`), []),
      release: (request) => (heard.push(`released ${request}`), [{ type: 'releasePending', allocation: 3, gpu: 4 }]),
    };
    const journal = new MemoryJournal();
    const port = createInProcessSequencer({ journal, authoriser, engine: new Engine(), clock: new ManualClock(TEST_EPOCH) });
    await port.submit(envelope({
      type: 'capture', company: 0, allocation: 9, gpu: 1, request: 'r', model: 0, promptTokens: 0, completionTokens: 0,
      detail: { key: '', endpoint: '', spotFees: 0, estimated: false },
    }));
    await port.release('s');
    await port.query('status', {});
    expect(heard).toEqual(['committed 2', 'committed 3', 'captured r', 'released s', 'committed 4']);
    expect(commandsOf(journal)).toEqual([['tick', 'releasePending'], ['capture'], ['releasePending']]);
  });
});

describe('a report of a minute', () => {
  test('carries what requests under way hold', async () => {
    const journal = new MemoryJournal();
    let reread = 0;
    const authoriser: Authoriser = { ...NO_ALLOCATIONS, allHeld: () => [{ allocation: 7, gpu: 70 }], rereadAll: () => void reread++ };
    const port = createInProcessSequencer({ journal, authoriser });
    await port.submit(envelope({ type: 'reportMinute', minute: 0, outcomes: [] }));
    const [written] = journal.written.flatMap((row) => decodeEnvelopes(row.commands).map(({ command }) => command)).slice(-1);
    expect(written).toEqual({ type: 'reportMinute', minute: 0, outcomes: [], held: [{ allocation: 7, gpu: 70 }] });
    expect(reread).toBe(1);
    await port.close();
  });
});

describe('time that nobody moved', () => {
  test('was an outage of the platform, told before what it brings; a clock that is set leaves nothing out', async () => {
    let wall = TEST_EPOCH;
    const journal = new MemoryJournal();
    const port = createInProcessSequencer({ journal, clock: { now: () => wall } });
    await port.submit(envelope(register('a')));
    wall += 3_600_000;
    await port.submit(envelope(register('b')));
    expect(journal.written.flatMap((row) => decodeEnvelopes(row.commands).map(({ command }) => command))).toContainEqual({ type: 'platformDown', from: TEST_EPOCH, to: wall });
    await port.close();
    const manual = new MemoryJournal();
    const other = createInProcessSequencer({ journal: manual });
    await other.submit(envelope(register('a')));
    await other.setClock(TEST_EPOCH + 3_600_000);
    expect(commandsOf(manual).flat()).not.toContain('platformDown');
    await other.close();
  });
});

describe('a resale', () => {
  test('carries what requests under way hold, so that replay needs no table', async () => {
    const journal = new MemoryJournal();
    const reread: number[] = [];
    const authoriser: Authoriser = { ...NO_ALLOCATIONS, heldOf: (allocation) => allocation * 10, reread: (company) => void reread.push(company) };
    const port = createInProcessSequencer({ journal, authoriser });
    await port.submit(envelope(register('a')));
    const ask = {
      type: 'place', company: 0, market: 0, hour: 0, side: 1, orderType: 0, price: 1, quantity: 1, timeInForce: 0, postOnly: false, displayQuantity: 0, minimumQuantity: 0,
      stopPrice: 0, expiresAt: 0, model: -1, resaleOf: 7, selfTradePrevention: 0, cancelOnDisconnect: false, clientOrderId: '',
    } as const;
    await port.submit(envelope({ type: 'batch', company: 0, operations: [ask, { ...ask, resaleOf: 0 }] }));
    await port.submit(envelope(ask));
    const written = journal.written.flatMap((row) => decodeEnvelopes(row.commands).map(({ command }) => command));
    expect(written.slice(-2)).toEqual([
      { type: 'batch', company: 0, operations: [{ ...ask, held: 70 }, { ...ask, resaleOf: 0 }] },
      { ...ask, held: 70 },
    ]);
    expect(reread).toEqual([0, 0]);
    await port.close();
  });
});
