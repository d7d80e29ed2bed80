import { describe, expect, test } from 'vitest';
import type { WireForecast } from '../../state/index.ts';
import { forecastShape } from './forecast.ts';

const week = (expected: string, change: object = {}): WireForecast['weeks'][number] =>
  ({ from: '2026-12-01', to: '2026-12-07', expected, low: null, high: null, surplus: '0', shortage: '0', contracted: '0', uncovered: '0', excess: '0', expiring: '0', ...change });
const frame = { width: 466, height: 118 };

describe('the forecast', () => {
  test('stands on its base, the highest end of an interval at the top', () => {
    const { weeks, base, highest } = forecastShape([week('50', { low: '25', high: '100', contracted: '50' }), week('0', { shortage: '1' })], frame);
    expect([base, highest]).toEqual([100, 100_000_000n]);
    expect(weeks[0]).toMatchObject({ expected: 54, contracted: 54, interval: { high: 8, low: 77 }, short: false });
    expect(weeks[1]).toMatchObject({ expected: 100, interval: undefined, short: true });
    expect((weeks[1]?.x ?? 0) - (weeks[0]?.x ?? 0)).toBe(200);
  });
  test('of no use at all divides by nothing', () => expect(forecastShape([week('0')], frame).weeks[0]?.expected).toBe(100));
});
