import { describe, expect, test } from 'vitest';
import type { FacilityWire } from '../http/wire/facility_wire.ts';
import { idOf } from '../ids.ts';
import { FacilitiesSource, WarningsSource } from './account_sources.ts';

const ALL = 1_000_000;
const facility = (frozen: string, state: string) => ({ id: idOf('facility', 3), frozen_fraction: frozen, state }) as FacilityWire;

describe('the facility channel', () => {
  /** A source that has told one facility, active and free. */
  async function open() {
    const rows = [facility('0.00', 'active')];
    const source = new FacilitiesSource(() => Promise.resolve([...rows]), (row) => row);
    const look = async (row = rows[0]): Promise<string[] | null> => {
      rows[0] = row;
      await source.prepare();
      return (source.update() as FacilityWire[] | null)?.map(({ state, frozen_fraction: frozen }) => `${state} ${frozen}`) ?? null;
    };
    await look();
    return { source, look };
  }

  test('tells a freeze once, although it is two steps', async () => {
    const { source, look } = await open();
    expect(source.note([{ sequence: 6, facility: 4, fraction: ALL }])).toBe(false);
    expect(source.note([{ sequence: 7, facility: 3, fraction: ALL }, { sequence: 7, facility: 3, state: 'frozen' }])).toBe(true);
    expect(await look(facility('1.00', 'frozen'))).toEqual(['frozen 1.00']);
    expect(await look()).toBeNull();
  });

  test('tells an unfreeze that a freeze has followed before it was told', async () => {
    const { source, look } = await open();
    source.note([{ sequence: 7, facility: 3, fraction: ALL }, { sequence: 7, facility: 3, state: 'frozen' }]);
    await look(facility('1.00', 'frozen'));
    source.note([{ sequence: 8, facility: 3, fraction: 0 }, { sequence: 8, facility: 3, state: 'active' }]);
    source.note([{ sequence: 9, facility: 3, fraction: ALL }, { sequence: 9, facility: 3, state: 'frozen' }]);
    expect(await look()).toEqual(['active 0.00', 'frozen 1.00']);
  });

  test('tells each of many, and nothing of another company\'s', async () => {
    const { source, look } = await open();
    source.note([8, 9, 10, 11].map((sequence) => ({ sequence, facility: 3, fraction: sequence % 2 === 0 ? ALL / 2 : 0 })));
    source.note([{ sequence: 12, facility: 4, fraction: ALL }]);
    expect(await look()).toEqual(['active 0.50', 'active 0.00', 'active 0.50', 'active 0.00']);
  });
});

test('a warning is told once, and a snapshot has the latest', async () => {
  let rows = [{ id: 'wrn_1' }];
  const source = new WarningsSource(() => Promise.resolve(rows));
  await source.prepare();
  expect([source.update(), source.update(), source.snapshot()]).toEqual([rows, null, rows]);
  rows = [{ id: 'wrn_1' }, { id: 'wrn_2' }];
  await source.prepare();
  expect([source.update(), source.update(), source.snapshot()]).toEqual([[{ id: 'wrn_2' }], null, rows]);
});
