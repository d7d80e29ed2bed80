import { describe, expect, test } from 'vitest';
import { instrumentId, type WireCurvePoint } from '../../state/index.ts';
import { curveChart, niceStep } from './curve_chart.ts';

const FROM = 494_000;
const point = (hour: number, bid: string | null, ask: string | null): WireCurvePoint => ({
  instrument: instrumentId('H100-SXM-80', 'us-east', hour), class: 'H100-SXM-80', region: 'us-east', start_at: new Date(hour * 3_600_000).toISOString(),
  best_bid: bid, bid_quantity: null, best_ask: ask, ask_quantity: null, mid_price: null, last_price: null, mark_price: null, mark_source: 'list_price',
});
const FRAME = { from: FROM, chosen: FROM + 2, width: 662, height: 328 };

describe('the forward curve', () => {
  test('is a step line with a gap where an hour has no quote', () => {
    const { askPath, bidPath } = curveChart([point(FROM, '2.0000', '2.1000'), point(FROM + 1, null, '2.2000'), point(FROM + 3, '2.0000', '2.1000')], FRAME);
    expect(askPath.match(/M/g)).toHaveLength(2);
    expect(askPath).toMatch(/^M0\.0 \d+\.\dH50\.0V\d+\.\dH100\.0M150\.0/);
    expect(bidPath.match(/M/g)).toHaveLength(2);
  });

  test('leaves out what is past and what is more than a week ahead', () => {
    const chart = curveChart([point(FROM - 1, '1', '2'), point(FROM, '1', '2'), point(FROM + 200, '1', '2')], FRAME);
    expect(chart.points.map(({ hour }) => hour)).toEqual([FROM]);
  });

  test('finds the hour under the pointer', () => {
    const chart = curveChart([point(FROM, '1', '2')], FRAME);
    expect(chart.hourAt(0)).toBe(FROM);
    expect(chart.hourAt(599)).toBe(FROM + 11);
    expect(chart.hourAt(640)).toBeUndefined();
  });

  test('draws one price in the middle', () => {
    const { priceTicks, askPath } = curveChart([point(FROM, null, '1.2900')], FRAME);
    expect(priceTicks.map(({ price }) => price)).toEqual([12_600, 12_800, 13_000, 13_200]);
    expect(askPath).toBe('M0.0 168.0H50.0');
  });

  test('of nothing draws nothing', () => {
    const chart = curveChart([], FRAME);
    expect([chart.points, chart.askPath, chart.priceTicks]).toEqual([[], '', []]);
  });

  test('has round prices on its axis', () => {
    expect([niceStep(10, 5), niceStep(6_300, 5), niceStep(5, 5), niceStep(9_000, 5)]).toEqual([2, 2_000, 1, 2_000]);
  });
});
