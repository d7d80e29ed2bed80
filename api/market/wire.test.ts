import { describe, expect, test } from 'vitest';
import { bookData, checksumOf, curvePointWire, tickerWire } from './wire.ts';
import type { LevelPair } from './wire.ts';
import { curvePointSchema, tickerSchema } from './market_schemas.ts';
import { INSTRUMENT, openExchange, place, trade } from './test/exchange.ts';

describe('checksums', () => {
  test('are CRC-32 of price:quantity, bids then asks', () => {
    expect(checksumOf([], [])).toBe(0);
    expect(checksumOf([['2.1500', '8']], [])).toBe(0x42445180);
    expect(checksumOf([['2.1500', '8'], ['2.1400', '0.5']], [['2.1600', '12.25']])).toBe(0x56a8f90b);
  });

  test('see the best ten levels of each side only', () => {
    const levels = Array.from({ length: 12 }, (_, index): LevelPair => [`2.${index}000`, '1']);
    expect(checksumOf(levels, [])).toBe(checksumOf(levels.slice(0, 10), []));
    expect(checksumOf(levels.slice(0, 9), levels)).toBe(checksumOf(levels.slice(0, 9), levels.slice(0, 10)));
    expect(checksumOf(levels.slice(0, 9), [])).not.toBe(checksumOf(levels.slice(0, 10), []));
  });

  test('of a book are of the strings that are sent', () => {
    const level = (price: number, quantity: number) => ({ price, quantity, orders: 1 });
    const data = bookData({ bids: [level(21_500, 800), level(21_400, 50)], asks: [level(21_600, 1_225)] });
    expect(data).toEqual({ bids: [['2.1500', '8'], ['2.1400', '0.5']], asks: [['2.1600', '12.25']], checksum: 0x56a8f90b });
  });
});

describe('figures', () => {
  test('are decimal strings, null where there is none', async () => {
    const exchange = await openExchange();
    const { view, directory, providers, buyers } = exchange;
    const instrument = view.instrument(INSTRUMENT) ?? expect.fail('no instrument');
    expect(tickerSchema.parse(tickerWire(view.ticker(instrument)))).toMatchObject({ best_bid: null, last_price: null, volume_24h: '0', mark_price: '1.5000' });
    trade(exchange, 1, 1, 20_001, 150);
    place(exchange, buyers[1], 0, 20_000, 25);
    place(exchange, providers[1], 1, 20_003, 100);
    expect(tickerSchema.parse(tickerWire(view.ticker(instrument)))).toMatchObject({
      best_bid: '2.0000', bid_quantity: '0.25', best_ask: '2.0003', last_price: '2.0001', volume_24h: '1.5', notional_24h: '3.00015', trades_24h: 1,
    });
    expect(curvePointSchema.parse(curvePointWire(directory, view.curve(0)[0]))).toMatchObject({
      instrument: INSTRUMENT, class: 'H100-SXM-80', region: 'us-east', start_at: '2026-12-02T14:00:00.000Z', mid_price: '2.00015',
    });
  });
});
