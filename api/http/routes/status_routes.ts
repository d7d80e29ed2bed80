/** Whether the market is open. */
import { z } from 'zod';
import { TRADING_MODES } from '../../../engine/vocabulary.ts';
import { statusDataSchema } from '../../market/market_schemas.ts';
import { statusWire } from '../../market/wire.ts';
import { route } from '../route.ts';
import { bandsSchema, bandsWire } from './bands_routes.ts';
import type { Route } from '../route.ts';

const EVERYTHING = '*';

const status = route({
  method: 'get', path: '/api/v1/status', operationId: 'getStatus', summary: 'Engine time, and what does not trade normally', tag: 'market', scope: 'public',
  responses: {
    200: {
      description: 'As of the last command.',
      schema: statusDataSchema.extend({ status: z.enum(TRADING_MODES), demo: z.boolean(), clock: z.enum(['wall', 'manual']), price_band: bandsSchema }),
    },
  },
  handle({ services }) {
    const wire = statusWire(services.directory, services.market);
    const whole = wire.modes.find((mode) => mode.scope === EVERYTHING)?.mode ?? 'open';
    return Promise.resolve({ status: 200, body: { status: whole, demo: services.config.demo, clock: services.config.clock, price_band: bandsWire(services.market.bands), ...wire } });
  },
});

export const statusRoutes: Route[] = [status];
