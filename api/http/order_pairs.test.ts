/** Each pair of order attributes as a client sends it: two that go together become a command that says both, two that contradict each other are refused by name. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMIT, ORDER_TYPES, SELF_TRADE_PREVENTIONS, STOP, STOP_LIMIT, TIMES_IN_FORCE } from '../../engine/vocabulary.ts';
import { ATTRIBUTES, PAIRS } from '../../engine/test/order_attributes.ts';
import type { Traits } from '../../engine/test/order_attributes.ts';
import type { Directory } from '../directory.ts';
import { ApiError } from '../errors.ts';
import { INSTRUMENT, openExchange } from '../market/test/exchange.ts';
import { batchCommand, orderBody, placeCommand } from './wire/order_commands.ts';

const EXPIRES = '2026-12-01T20:00:00Z';

function bodyOf(traits: Traits): Record<string, unknown> {
  const { orderType = LIMIT, timeInForce, selfTradePrevention } = traits;
  const priced = orderType === LIMIT || orderType === STOP_LIMIT || traits.protected === true;
  return {
    instrument: INSTRUMENT, side: traits.resale ? 'sell' : 'buy', type: ORDER_TYPES[orderType], price: priced ? '2.5' : null, quantity: '8',
    time_in_force: TIMES_IN_FORCE[timeInForce ?? (traits.expires ? 1 : 0)], post_only: traits.postOnly ?? false, display_quantity: traits.iceberg ? '2' : null,
    minimum_quantity: traits.minimum === undefined ? null : traits.minimum === 'whole' ? '8' : '4', stop_price: orderType >= STOP ? '2' : null,
    expires_at: traits.expires ? EXPIRES : null, cancel_on_disconnect: traits.cancelOnDisconnect ?? false, model: traits.model ? 'small' : null,
    resale_of: traits.resale ? 'alc_7' : null, ...(selfTradePrevention === undefined ? {} : { self_trade_prevention: SELF_TRADE_PREVENTIONS[selfTradePrevention] }),
  };
}

/** What of a command each trait stands for. */
const commandOf = (traits: Traits): Record<string, unknown> => ({
  ...(traits.orderType === undefined ? {} : { orderType: traits.orderType }),
  ...(traits.timeInForce === undefined ? {} : { timeInForce: traits.timeInForce }),
  ...(traits.selfTradePrevention === undefined ? {} : { selfTradePrevention: traits.selfTradePrevention }),
  ...(traits.minimum === undefined ? {} : { minimumQuantity: traits.minimum === 'whole' ? 800 : 400 }),
  ...(traits.iceberg ? { displayQuantity: 200 } : {}), ...(traits.postOnly ? { postOnly: true } : {}), ...(traits.protected ? { price: 25_000 } : {}),
  ...(traits.expires ? { expiresAt: Date.parse(EXPIRES) } : {}), ...(traits.cancelOnDisconnect ? { cancelOnDisconnect: true } : {}),
  ...(traits.model ? { model: 0 } : {}), ...(traits.resale ? { resaleOf: 7 } : {}),
});

let directory: Directory;
beforeAll(async () => ({ directory } = await openExchange()));

const placed = (body: unknown): unknown => placeCommand(directory, 3, orderBody.parse(body));

describe('a pair of attributes', () => {
  it.each(PAIRS.map((pair) => [pair.names, pair] as const))('%s', (_names, { traits, contradiction }) => {
    const body = bodyOf(traits);
    if (contradiction === undefined) {
      expect(placed(body)).toMatchObject(commandOf(traits));
      expect(batchCommand(directory, 3, { op: 'place', ...body })).toEqual(placed(body));
      return;
    }
    for (const act of [() => placed(body), () => batchCommand(directory, 3, { op: 'place', ...body })]) {
      expect(act).toThrowError(ApiError);
      expect(act).toThrowError(expect.objectContaining({ code: 'invalid_request', status: 400, field: contradiction }) as Error);
    }
  });
});

afterAll(() => {
  const refused = PAIRS.filter((pair) => pair.contradiction !== undefined);
  process.stdout.write(`${ATTRIBUTES.length} attributes, ${PAIRS.length} pairs: ${PAIRS.length - refused.length} go together, ${refused.length} are refused (${refused.map(({ names }) => names).join(', ')})\n`);
});
