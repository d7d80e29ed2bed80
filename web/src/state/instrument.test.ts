import { describe, expect, test } from 'vitest';
import { hourAt, instrumentId, parseInstrument, phaseOf } from './instrument.ts';

const ID = 'H100-SXM-80.us-east.20261201T14Z';
const HOUR = Date.UTC(2026, 11, 1, 14) / 3_600_000;
const start = HOUR * 3_600_000;

describe('an instrument', () => {
  test('is read from its name and named again', () => {
    expect(parseInstrument(ID)).toEqual({ id: ID, class: 'H100-SXM-80', region: 'us-east', hour: HOUR });
    expect(instrumentId('H100-SXM-80', 'us-east', HOUR)).toBe(ID);
  });

  test.each(['', 'H100', 'H100.us-east', 'H100.us-east.20261301T14Z', 'H100.us-east.20261201T24Z', 'H100.us-east.20260230T10Z', `${ID} `])('is not %j', (id) => {
    expect(parseInstrument(id)).toBeUndefined();
  });

  test('goes through its phases', () => {
    expect(phaseOf(HOUR, start - 94 * 86_400_000)).toBe('unlisted');
    expect(phaseOf(HOUR, start - 300_001)).toBe('ahead');
    expect(phaseOf(HOUR, start - 300_000)).toBe('gate');
    expect(phaseOf(HOUR, start)).toBe('spot');
    expect(phaseOf(HOUR, start + 3_540_000)).toBe('over');
    expect(hourAt(start + 3_599_999)).toBe(HOUR);
  });
});
