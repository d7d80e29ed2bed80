import { expect, test } from 'vitest';
import { LoanLives } from '../engine/simulation/loan_lives.ts';
import { EVERYBODY, facilityViews } from './facility_views.ts';
import type { SequencerPort } from './sequencer/port.ts';

test('facilities that are asked for part by part are all there are, each once, in order', async () => {
  const { engine, state } = new LoanLives({ seed: 3, facilities: 130 });
  const port: Pick<SequencerPort, 'query'> = { query: (name, ask) => Promise.resolve(engine.query(name, ask)) };
  const idsOf = async (ask: { company: number; lender: boolean }): Promise<number[]> => (await facilityViews(port, ask)).map(({ facility }) => facility);
  expect(await idsOf({ company: EVERYBODY, lender: false })).toEqual(state.facilities.map(({ facility }) => facility));
  for (const { company } of state.mandates) {
    expect(await idsOf({ company, lender: true })).toEqual(state.facilities.filter(({ shares }) => shares.some(({ lender }) => lender === company)).map(({ facility }) => facility));
  }
  const { company, facility } = state.facilities[100];
  expect(await idsOf({ company, lender: false })).toEqual([facility]);
});
