/** When a leader that cannot reach Redis gives up the lead, and when it does not. */
import { describe, expect, test } from 'vitest';
import { Succession, UNREACHED_MILLIS } from './succession.ts';

function world(): { state: { leads: boolean | undefined; silent: number; answeredMillis: number; standby: string | undefined }; look: () => Promise<void>; noted: number[]; handed: string[] } {
  const state = { leads: true as boolean | undefined, silent: 0, answeredMillis: 60_000, standby: 'other' as string | undefined };
  const noted: number[] = [];
  const handed: string[] = [];
  const succession = new Succession({
    pulse: {
      get silent() {
        return state.silent;
      },
      get answeredMillis() {
        return state.answeredMillis;
      },
    },
    leads: () => state.leads,
    note: (reachedMillis) => {
      noted.push(reachedMillis);
      return Promise.resolve();
    },
    find: (reachedMillis) => {
      expect(reachedMillis).toBe(UNREACHED_MILLIS);
      return Promise.resolve(state.standby);
    },
    onHandOver: ({ message }) => handed.push(message),
  });
  succession.close();
  return { state, look: () => succession.look(), noted, handed };
}

describe('succession', () => {
  test('a leader that reaches Redis keeps the lead, and notes nothing', async () => {
    const { look, noted, handed } = world();
    await look();
    expect([noted, handed]).toEqual([[], []]);
  });

  test('a leader that does not reach it for long gives up the lead to a standby that does', async () => {
    const { state, look, handed } = world();
    state.silent = 7;
    await look();
    expect(handed).toEqual([]);
    state.silent = 8;
    await look();
    expect(handed).toEqual(['this engine does not reach Redis, and other does: it gives up the lead']);
  });

  test('it keeps the lead while nobody else could be reached', async () => {
    const { state, look, handed } = world();
    Object.assign(state, { silent: 1_000, answeredMillis: 0, standby: undefined });
    await look();
    expect(handed).toEqual([]);
    state.standby = 'other';
    await look();
    expect(handed).toHaveLength(1);
  });

  test('a standby notes that it could be reached only while it is, and is warm', async () => {
    const { state, look, noted, handed } = world();
    state.leads = false;
    await look();
    state.answeredMillis = 0;
    await look();
    Object.assign(state, { answeredMillis: 70_000, leads: undefined });
    await look();
    Object.assign(state, { silent: 1_000, answeredMillis: 0, leads: false });
    await look();
    expect([noted, handed]).toEqual([[60_000], []]);
  });

  test('a database that does not answer changes nothing', async () => {
    const handed: string[] = [];
    const succession = new Succession({
      pulse: { silent: 100, answeredMillis: 0 }, leads: () => true, note: () => Promise.resolve(), find: () => Promise.reject(new Error('away')), onHandOver: ({ message }) => handed.push(message),
    });
    succession.close();
    await succession.look();
    await succession.look();
    expect(handed).toEqual([]);
  });
});
