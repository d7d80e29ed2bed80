/** Price bands: how far from the reference orders may stand, and how two operators set it. */
import { z } from 'zod';
import { formatUnits } from '../../../engine/numbers/units.ts';
import { wrongBand } from '../../../engine/trading/bands.ts';
import type { Bands } from '../../../engine/trading/bands.ts';
import { ApiError } from '../../errors.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { submit } from '../submit.ts';
import { confirmedByTwo, onceOfPerson, pendingSchema, waitingFor } from '../two_persons.ts';
import { moneyOf } from '../wire/amounts.ts';
import { decimal, line } from '../wire/schemas.ts';

const tag = 'operator';
const ACTION = 'bands';
const FACTOR_PLACES = 6;

export const bandsSchema = z.object({
  above: z.string().describe('Bids at most this multiple of the hour\'s last trade, or list price where that is more; before a trade this multiple of list price'),
  below: z.string().describe('Asks at least this multiple of the last trade, before one of list price'),
});
export const bandsWire = ({ above, below }: Bands): z.infer<typeof bandsSchema> => ({ above: formatUnits(above, FACTOR_PLACES, 0), below: formatUnits(below, FACTOR_PLACES, 0) });

export const bandsNowSchema = bandsSchema.extend({
  pending: bandsSchema.extend({ confirmation_id: z.string(), requested_by: z.string(), reason: z.string() }).nullable()
    .describe('What an operator has asked for last and another has still to ask for; told to operators'),
});

const readBands = route({
  method: 'get', path: '/api/v1/bands', operationId: 'getBands', summary: 'Price bands of the whole market', tag, scope: 'read',
  responses: { 200: { description: 'As of the last command.', schema: bandsNowSchema } },
  async handle(context) {
    const { services } = context;
    const waiting = principalIn(context).role === 'operator' ? await waitingFor(services.database, ACTION) : undefined;
    const pending = waiting === undefined ? null
      : { ...bandsWire(JSON.parse(waiting.target) as Bands), confirmation_id: waiting.id, requested_by: waiting.requested_by, reason: waiting.reason };
    return { status: 200, body: { ...bandsWire(await services.sequencer.query('bands', {})), pending } };
  },
});

const setBands = route({
  method: 'post', path: '/api/v1/bands', operationId: 'setBands', summary: 'Set the price bands; two operators make the same call, and orders that rest stay where they are', tag, scope: 'operate', roles: ['operator'],
  body: z.strictObject({ above: decimal.describe('Of the reference, at least 1'), below: decimal.describe('Of the reference, above 0 and at most 1'), reason: line(500) }),
  responses: {
    200: { description: 'Set.', schema: bandsSchema },
    202: { description: 'Another operator must make the same call.', schema: pendingSchema },
  },
  handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    const bands: Bands = { above: moneyOf('above', body.above), below: moneyOf('below', body.below) };
    // No second person is asked for what the market would refuse.
    const wrong = wrongBand(bands);
    if (wrong !== undefined) throw new ApiError('invalid_parameter', { field: wrong });
    return onceOfPerson(context, actor.user, async (transaction) => {
      const { pending, requestedBy } = await confirmedByTwo(transaction, { action: ACTION, target: JSON.stringify(bands), reason: body.reason, person: actor.user });
      const entry = { actor, target: 'market', reason: body.reason, details: bandsWire(bands) };
      if (pending !== undefined) {
        await recordAudit(transaction, { ...entry, at: services.committed.now, action: `${ACTION}.requested` });
        return pending;
      }
      const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, { type: 'setBands', company: actor.company, ...bands });
      await recordAudit(transaction, { ...entry, at: ack.now, action: ACTION, details: { ...entry.details, requested_by: requestedBy }, sequence: ack.sequence });
      return { reply: { status: 200, body: bandsWire(bands) } };
    });
  },
});

export const bandsRoutes: Route[] = [readBands, setBands];
