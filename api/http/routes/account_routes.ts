/** Money and credit of the caller's company. */
import { z } from 'zod';
import { NONE } from '../../../engine/vocabulary.ts';
import type { AllocationView, BalancesView, FundView, LotView } from '../../../engine/queries.ts';
import { formatMicro, formatSteps, formatTicks } from '../../../engine/numbers/units.ts';
import { newId } from '../../auth/keys.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import { formatGpuHours, formatRate, formatTime, moneyOf } from '../wire/amounts.ts';
import { eventOf } from '../../sequencer/port.ts';
import { recordAct } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { decimal, line, pageOf, pageQuery } from '../wire/schemas.ts';
import { expectEvent, submit } from '../submit.ts';

const tag = 'account';
const text = z.string();

export const fundSchema = z.object({
  capital: text.describe('All that was brought into the fund and not taken out: committed + uncommitted + idle'),
  committed: text.describe('Promised to borrowers or lent, and not paid back'), uncommitted: text.describe('In mandates, and in no commitment'), idle: text.describe('In no mandate'),
  lost: text.describe('Of what is committed, lent and given up'),
  interest_paid: text.describe('Earned, paid by borrowers and not taken out'), interest_owed: text.describe('Earned, and owed by borrowers'),
  withdrawable: text.describe('Cash, paid interest, idle and uncommitted capital'),
});
export const fundWire = (fund: FundView): z.infer<typeof fundSchema> => ({
  capital: formatMicro(fund.capital),
  committed: formatMicro(fund.committed),
  uncommitted: formatMicro(fund.uncommitted),
  idle: formatMicro(fund.idle),
  lost: formatMicro(fund.lost),
  interest_paid: formatMicro(fund.interestPaid),
  interest_owed: formatMicro(fund.interestOwed),
  withdrawable: formatMicro(fund.withdrawable),
});

const balancesSchema = z.object({
  usd: text.describe('Money not yet applied to anything'),
  credits: z.object({ available: text, held: text, contracted: text, frozen: text.describe('Of available and held, blocked by a lender'), remaining: text }),
  payable: text.describe('USD earned and not yet paid out'),
  bond: text,
  fund: fundSchema.nullable().describe("A lender's money in the fund; null of others"),
});

export const balancesWire = (balances: BalancesView): z.infer<typeof balancesSchema> => ({
  usd: formatMicro(balances.usd),
  credits: {
    available: formatMicro(balances.available),
    held: formatMicro(balances.held),
    contracted: formatMicro(balances.contracted),
    frozen: formatMicro(balances.frozen),
    remaining: formatMicro(balances.available + balances.held + balances.contracted),
  },
  payable: formatMicro(balances.payable),
  bond: formatMicro(balances.bond),
  fund: balances.fund === null ? null : fundWire(balances.fund),
});

const getBalances = route({
  method: 'get', path: '/api/v1/balances', operationId: 'getBalances', summary: 'Money and credits', tag, scope: 'read',
  responses: { 200: { description: 'As of the last command.', schema: balancesSchema } },
  handle: async (context) => ({ status: 200, body: balancesWire(await context.services.sequencer.query('balances', { company: principalIn(context).company })) }),
});

export const lotSchema = z.object({
  id: text, source: z.enum(['facility', 'prepayment', 'grant']), facility_id: text.nullable(), usd_in: text, credits_minted: text, conversion_rate: text,
  available: text, held: text, contracted: text, retired: text, expires_at: text, frozen: text,
});
export const lotWire = (lot: LotView): z.infer<typeof lotSchema> => ({
  id: idOf('lot', lot.lot),
  source: lot.source,
  facility_id: lot.facility === NONE ? null : idOf('facility', lot.facility),
  usd_in: formatMicro(lot.usd),
  credits_minted: formatMicro(lot.minted),
  conversion_rate: formatRate(lot.conversionRate),
  available: formatMicro(lot.available),
  held: formatMicro(lot.held),
  contracted: formatMicro(lot.contracted),
  retired: formatMicro(lot.retired),
  expires_at: formatTime(lot.expiresAt),
  frozen: formatMicro(lot.frozen),
});

const listLots = route({
  method: 'get', path: '/api/v1/lots', operationId: 'listLots', summary: 'Credits by the money that bought them', tag, scope: 'read', query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(lotSchema) } },
  async handle(context) {
    const lots = await context.services.sequencer.query('lots', { company: principalIn(context).company });
    return { status: 200, body: pageOfRows(lots, context.query, (lot) => [lot.lot], lotWire) };
  },
});

export const allocationSchema = z.object({
  id: text, instrument: text, provider: text, model: text.nullable(), quantity: text, used: text.describe('GPU-hours consumed'), price: text,
  credits: text.describe('CR still in contract'), status: z.enum(['open', 'delivering', 'delivered', 'resold', 'failed']), frozen: z.boolean(),
});

export const allocationWire = (directory: Directory, allocation: AllocationView): z.infer<typeof allocationSchema> => ({
  id: idOf('allocation', allocation.allocation),
  instrument: directory.instrumentName(allocation.market, allocation.hour),
  provider: directory.companyName(allocation.provider),
  model: allocation.model === NONE ? null : directory.modelName(allocation.model),
  quantity: formatSteps(allocation.quantity),
  used: formatGpuHours(allocation.usedGpu),
  price: formatTicks(allocation.price),
  credits: formatMicro(allocation.credits),
  status: allocation.status,
  frozen: allocation.frozen,
});

const depositSchema = z.object({ id: text.nullable(), amount: text, reference: text, status: z.enum(['credited', 'pending']) });

/**
 * In the demo money arrives when it is announced. Elsewhere it arrives when the bank says so: the
 * announcement waits for a transaction with its reference.
 */
const deposit = route({
  method: 'post', path: '/api/v1/deposits', operationId: 'deposit', summary: 'Announce money on its way', tag, scope: 'account',
  body: z.strictObject({ amount: decimal, reference: line(140) }),
  responses: { 201: { description: 'Credited (demo), or pending until the bank reports it.', schema: depositSchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const amount = moneyOf('amount', body.amount);
    if (!services.config.demo) {
      return once(context, async (transaction) => {
        const id = newId('dep');
        await transaction('deposits').insert({ id, company, amount, reference: body.reference, status: 'pending' });
        return { reply: { status: 201, body: { id, amount: formatMicro(amount), reference: body.reference, status: 'pending' } } };
      });
    }
    const event = expectEvent(await submit(context, { type: 'deposit', company, amount, reference: body.reference }), 'deposited');
    return { status: 201, body: { id: null, amount: formatMicro(event.amount), reference: event.reference, status: 'credited' } };
  },
});

const ofLender = (what: string) => text.optional().describe(`Of a lender's: ${what}`);
const movedSchema = z.object({
  amount: text, cash: ofLender('what was applied to nothing'), interest: ofLender('what it has earned'), capital: ofLender('what it had in the fund'),
});

const withdraw = route({
  method: 'post', path: '/api/v1/withdrawals', operationId: 'withdraw', summary: 'Pay out money that is not applied to anything; of a lender, then paid interest, then capital in no commitment', tag,
  scope: 'account', body: z.strictObject({ amount: decimal }),
  responses: { 201: { description: 'On its way.', schema: movedSchema } },
  async handle(context) {
    const actor = principalIn(context);
    const { company, role } = actor;
    const ack = await submit(context, { type: 'withdraw', company, amount: moneyOf('amount', context.body.amount) });
    const { amount } = expectEvent(ack, 'withdrawn');
    await recordAct(context.services.database, ack, { actor, action: 'withdraw', target: idOf('company', company), details: { amount: formatMicro(amount) } });
    const { interest, principal } = eventOf(ack.events, 'fundWithdrawn') ?? { interest: 0, principal: 0 };
    const parts = { cash: formatMicro(amount - interest - principal), interest: formatMicro(interest), capital: formatMicro(principal) };
    return { status: 201, body: { amount: formatMicro(amount), ...(role === 'lender' ? parts : {}) } };
  },
});

const prepay = route({
  method: 'post', path: '/api/v1/prepayments', operationId: 'prepay', summary: 'Buy credits for cash', tag, scope: 'account', roles: ['borrower'],
  body: z.strictObject({ amount: decimal }),
  responses: { 201: { description: 'The lot that was minted.', schema: z.object({ lot: lotSchema }) } },
  async handle(context) {
    const { company } = principalIn(context);
    const minted = expectEvent(await submit(context, { type: 'prepay', company, amount: moneyOf('amount', context.body.amount) }), 'lotMinted');
    return { status: 201, body: { lot: mintedLotWire(minted) } };
  },
});

/** A lot as it is at its mint. */
export const mintedLotWire = (minted: {
  lot: number; company: number; facility: number; source: string; usd: number; credits: number; conversionRate: number; expiresAt: number;
}): z.infer<typeof lotSchema> =>
  lotWire({ ...minted, source: minted.source as LotView['source'], minted: minted.credits, available: minted.credits, held: 0, contracted: 0, retired: 0, frozen: 0 });

export const accountRoutes: Route[] = [getBalances, listLots, deposit, withdraw, prepay];
