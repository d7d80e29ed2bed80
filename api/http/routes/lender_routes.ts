/** What a lender does: its mandates, and the freeze of its collateral. */
import { z } from 'zod';
import { GRADES } from '../../../engine/vocabulary.ts';
import type { ChangeMandate } from '../../../engine/commands.ts';
import type { MandateView } from '../../../engine/queries.ts';
import { formatMicro } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import { formatPercent, formatRate, fractionOf, moneyOf, percentOf } from '../wire/amounts.ts';
import { recordAct, recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { facilityNumber } from './facilities_routes.ts';
import { lastEventOf } from '../../sequencer/port.ts';
import type { Ack } from '../../sequencer/port.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Route } from '../route.ts';
import { decimal, idParams, line, pageOf, pageQuery, sharePercent } from '../wire/schemas.ts';
import { expectEvent, submit } from '../submit.ts';
import type { Caller } from '../submit.ts';
import { confirmedByTwo, onceOfPerson, pendingSchema } from '../two_persons.ts';

const tag = 'lender';
const text = z.string();
const lender = ['lender'] as const;

const mandateSchema = z.object({
  id: text, amount: text, committed: text.describe('Promised to borrowers or lent, and not paid back'), available: text.describe('Not committed'), grades: z.array(z.enum(GRADES)),
  maximum_per_borrower: text, minimum_annual_rate_percent: text, reinvest: z.boolean().describe('Whether what is paid back is lent again; if not it is idle capital'),
  state: z.enum(['open', 'closed']),
});
export const mandateWire = (mandate: MandateView): z.infer<typeof mandateSchema> => ({
  id: idOf('mandate', mandate.mandate),
  amount: formatMicro(mandate.amount),
  committed: formatMicro(mandate.committed),
  available: formatMicro(mandate.amount - mandate.committed),
  grades: GRADES.filter((grade) => mandate.grades.includes(grade)),
  maximum_per_borrower: formatMicro(mandate.maximumPerBorrower),
  minimum_annual_rate_percent: formatPercent(mandate.minimumAnnualRate),
  reinvest: mandate.reinvest ?? true,
  state: mandate.closed === true ? 'closed' : 'open',
});

const createMandate = route({
  method: 'post', path: '/api/v1/mandates', operationId: 'createMandate', summary: 'Offer money to borrowers of some grades', tag, scope: 'lend', roles: lender,
  body: z.strictObject({
    amount: decimal, grades: z.array(z.enum(GRADES)).min(1).max(4), maximum_per_borrower: decimal, minimum_annual_rate_percent: sharePercent,
    reinvest: z.boolean().default(true), from_idle: z.boolean().default(false).describe('Of idle capital, not of deposited money'),
  }),
  responses: { 201: { description: 'The mandate. Its money is what was deposited (`usd` of the balances); the demo\'s bank brings what is missing at once, elsewhere `insufficient_funds` says so.', schema: mandateSchema } },
  async handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    const ack = await submit(context, {
      type: 'createMandate', company: actor.company, amount: moneyOf('amount', body.amount), grades: [...new Set(body.grades)],
      maximumPerBorrower: moneyOf('maximum_per_borrower', body.maximum_per_borrower),
      minimumAnnualRate: percentOf('minimum_annual_rate_percent', body.minimum_annual_rate_percent), ...(body.reinvest ? {} : { reinvest: false }), ...(body.from_idle ? { fromIdle: true } : {}),
      ...(services.config.demo ? { bankCovers: true } : {}),
    });
    const created = expectEvent(ack, 'mandateCreated');
    await recordAct(services.database, ack, { actor, action: 'mandate.create', target: idOf('mandate', created.mandate), details: { amount: formatMicro(created.amount) } });
    return { status: 201, body: mandateWire({ ...created, committed: 0, reinvest: body.reinvest }) };
  },
});

const mandateNumber = (id: string): number => {
  const number = parseId('mandate', id);
  if (number === undefined) throw new ApiError('unknown_mandate');
  return number;
};

/** Sends the change, notes who made it, and says what the mandate is now. */
async function change(context: Caller, actor: Principal, id: string, changes: Omit<ChangeMandate, 'type' | 'company' | 'mandate'>) {
  const { services } = context;
  const ack = await submit(context, { type: 'changeMandate', company: actor.company, mandate: mandateNumber(id), ...changes });
  const changed = expectEvent(ack, 'mandateChanged');
  await recordAct(services.database, ack, { actor, action: changed.closed ? 'mandate.close' : 'mandate.change', target: id, details: { amount: formatMicro(changed.amount), reinvest: changed.reinvest } });
  const mandates = await services.sequencer.query('mandates', { company: actor.company });
  const terms = mandates.find(({ mandate }) => mandate === changed.mandate);
  if (terms === undefined) throw new ApiError('unknown_mandate');
  return { status: 200, body: mandateWire({ ...terms, ...changed }) } as const;
}

const changeMandate = route({
  method: 'patch', path: '/api/v1/mandates/{id}', operationId: 'changeMandate', summary: 'Make a mandate smaller, or larger of idle capital, or say whether what is paid back is lent again', tag,
  scope: 'lend', roles: lender, params: idParams, body: z.strictObject({ amount: decimal.optional(), reinvest: z.boolean().optional() }),
  responses: { 200: { description: 'The mandate.', schema: mandateSchema } },
  handle(context) {
    const { amount, reinvest } = context.body;
    return change(context, principalIn(context), context.params.id, { ...(amount === undefined ? {} : { amount: moneyOf('amount', amount) }), ...(reinvest === undefined ? {} : { reinvest }) });
  },
});

const closeMandate = route({
  method: 'delete', path: '/api/v1/mandates/{id}', operationId: 'closeMandate', summary: 'Lend nothing more of a mandate: what is not committed is idle at once, the rest as it is paid back', tag,
  scope: 'lend', roles: lender, params: idParams,
  responses: { 200: { description: 'The mandate.', schema: mandateSchema } },
  handle: (context) => change(context, principalIn(context), context.params.id, { close: true }),
});

const listMandates = route({
  method: 'get', path: '/api/v1/mandates', operationId: 'listMandates', summary: "One's mandates", tag, scope: 'read', roles: lender, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(mandateSchema) } },
  async handle(context) {
    const mandates = await context.services.sequencer.query('mandates', { company: principalIn(context).company });
    return { status: 200, body: pageOfRows(mandates, context.query, (mandate) => [mandate.mandate], mandateWire) };
  },
});

const frozenSchema = z.object({ id: text, frozen_fraction: text, reason: text });

/** What is blocked after a command, by whomever. */
function frozenWire(ack: Ack): z.infer<typeof frozenSchema> {
  const { facility, fraction, reason } = lastEventOf(ack.events, 'facilityFrozen') ?? expectEvent(ack, 'facilityFrozen');
  return { id: idOf('facility', facility), frozen_fraction: formatRate(fraction), reason };
}

const freeze = route({
  method: 'post', path: '/api/v1/facilities/{id}/freeze', operationId: 'freezeFacility', summary: "Block a fraction of a facility's unspent credit", tag, scope: 'lend',
  roles: ['lender', 'operator'], params: idParams, body: z.strictObject({ fraction: decimal.default('1'), reason: line(500) }),
  responses: { 200: { description: 'Blocked; bids it funded are cancelled until the rest fits.', schema: frozenSchema } },
  async handle(context) {
    const { services, body, params } = context;
    const actor = principalIn(context);
    const ack = await submit(context, {
      type: 'freeze', company: actor.company, facility: facilityNumber(params.id), fraction: fractionOf('fraction', body.fraction), reason: body.reason,
    });
    const effective = frozenWire(ack);
    if (!ack.repeated) await recordAudit(services.database, { at: ack.now, actor, action: 'freeze', target: params.id, reason: body.reason, details: { fraction: body.fraction }, sequence: ack.sequence });
    return { status: 200, body: effective };
  },
});

const unfreeze = route({
  method: 'post', path: '/api/v1/facilities/{id}/unfreeze', operationId: 'unfreezeFacility', summary: 'Lift a freeze; an operator needs a second one, a lender does it alone', tag,
  scope: 'lend', roles: ['lender', 'operator'], params: idParams, body: z.strictObject({ reason: line(500).default('lifted') }),
  responses: {
    200: { description: 'Lifted; what others have frozen is still blocked.', schema: frozenSchema },
    202: { description: 'Another operator must make the same call.', schema: pendingSchema },
  },
  handle(context) {
    const { services, body, params } = context;
    const actor = principalIn(context);
    const facility = facilityNumber(params.id);
    return onceOfPerson(context, actor.user, async (transaction) => {
      let details: Record<string, unknown> = {};
      if (actor.role === 'operator') {
        const { pending, requestedBy } = await confirmedByTwo(transaction, { action: 'unfreeze', target: params.id, reason: body.reason, person: actor.user });
        if (pending !== undefined) {
          await recordAudit(transaction, { at: services.committed.now, actor, action: 'unfreeze.requested', target: params.id, reason: body.reason });
          return pending;
        }
        details = { requested_by: requestedBy };
      }
      const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, { type: 'unfreeze', company: actor.company, facility });
      await recordAudit(transaction, { at: ack.now, actor, action: 'unfreeze', target: params.id, reason: body.reason, details, sequence: ack.sequence });
      return { reply: { status: 200, body: frozenWire(ack) } };
    });
  },
});

export const lenderRoutes: Route[] = [createMandate, listMandates, changeMandate, closeMandate, freeze, unfreeze];
