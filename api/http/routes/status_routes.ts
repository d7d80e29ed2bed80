/** Whether the market is open. */
import { z } from 'zod';
import { TRADING_MODES } from '../../../engine/commands.ts';
import { PARAMETERS } from '../../../engine/parameters.ts';
import { formatUnits } from '../../../engine/numbers/units.ts';
import { statusDataSchema } from '../../market/market_schemas.ts';
import { statusWire } from '../../market/wire.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';

const EVERYTHING = '*';
const FACTOR_PLACES = 6;
const priceBandSchema = z.object({
  above: z.string().describe('Bids at most this multiple of the hour\'s last trade, or list price where that is more; before a trade this multiple of list price'),
  below: z.string().describe('Asks at least this multiple of the last trade, before one of list price'),
});
const PRICE_BAND: z.infer<typeof priceBandSchema> = { above: formatUnits(PARAMETERS.bandAbove, FACTOR_PLACES, 0), below: formatUnits(PARAMETERS.bandBelow, FACTOR_PLACES, 0) };

const status = route({
  method: 'get', path: '/api/v1/status', operationId: 'getStatus', summary: 'Engine time, and what does not trade normally', tag: 'market', scope: 'public',
  responses: {
    200: {
      description: 'As of the last command.',
      schema: statusDataSchema.extend({ status: z.enum(TRADING_MODES), demo: z.boolean(), clock: z.enum(['wall', 'manual']), price_band: priceBandSchema }),
    },
  },
  handle({ services }) {
    const wire = statusWire(services.directory, services.market);
    const whole = wire.modes.find((mode) => mode.scope === EVERYTHING)?.mode ?? 'open';
    return Promise.resolve({ status: 200, body: { status: whole, demo: services.config.demo, clock: services.config.clock, price_band: PRICE_BAND, ...wire } });
  },
});

export const statusRoutes: Route[] = [status];
