/** What one operator has asked for and another has still to ask for, and the call that completes it. */
import { z } from 'zod';
import type { SetTradingMode } from '../../../engine/commands.ts';
import type { MoneyRules } from '../../../engine/lending/facility.ts';
import type { Bands } from '../../../engine/trading/bands.ts';
import type { Directory } from '../../directory.ts';
import { scopeName } from '../../market/wire.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { formatTime } from '../wire/amounts.ts';
import { bandsWire } from './bands_routes.ts';
import { moneyRulesWire } from './loan_routes.ts';

const text = z.string();
const confirmationSchema = z.object({
  id: text, action: text, target: text.describe('A scope, a switch, a facility, a provider, or the terms that were asked for'), reason: text,
  requested_by: text.describe('The person'), email: text.nullable(), requested_at: text, expires_at: text,
  call: z.object({ path: text, body: z.record(text, z.unknown()) }).nullable().describe('What another operator sends, with a reason, to complete it; null of an act without a call'),
});
export const confirmationsSchema = z.object({ data: z.array(confirmationSchema) });

interface Row {
  id: string;
  action: string;
  target: string;
  reason: string;
  requested_by: string;
  email: string | null;
  requested_at: Date;
  expires_at: Date;
}

type Told = Pick<z.infer<typeof confirmationSchema>, 'target' | 'call'>;

function modeTold(directory: Directory, { action, target }: Row): Told {
  const { call, ...scope } = JSON.parse(target) as Pick<SetTradingMode, 'class' | 'market' | 'hour'> & { call?: number };
  const name = scopeName(directory, scope);
  return { target: name, call: { path: `/api/v1/markets/${action}`, body: { scope: name, ...(call === undefined ? {} : { call_seconds: call / 1_000 }) } } };
}

function bandsTold({ target }: Row): Told {
  const bands = bandsWire(JSON.parse(target) as Bands);
  return { target: `${bands.below} to ${bands.above}`, call: { path: '/api/v1/bands', body: bands } };
}

function moneyRulesTold({ target }: Row): Told {
  const rules = moneyRulesWire(JSON.parse(target) as MoneyRules);
  return { target: JSON.stringify(rules), call: { path: '/api/v1/money-rules', body: rules } };
}

/** The confirmation keeps what the act is about in the act's own form. */
function told(directory: Directory, row: Row): Told {
  const { action, target } = row;
  switch (action) {
    case 'halt': case 'cancel-only': case 'auction': case 'resume': return modeTold(directory, row);
    case 'bands': return bandsTold(row);
    case 'switch': return { target, call: { path: '/api/v1/switches', body: { name: target, on: false } } };
    case 'provider.reinstate': return { target, call: { path: `/api/v1/providers/${target}/reinstate`, body: {} } };
    case 'unfreeze': return { target, call: { path: `/api/v1/facilities/${target}/unfreeze`, body: {} } };
    case 'overrule': return { target, call: { path: '/api/v1/overrules', body: JSON.parse(target) as Record<string, unknown> } };
    case 'money_rules': return moneyRulesTold(row);
    default: return { target, call: null };
  }
}

const list = route({
  method: 'get', path: '/api/v1/confirmations', operationId: 'listConfirmations', summary: 'What waits for the confirmation of another operator, the oldest first', tag: 'operator', scope: 'operate', roles: ['operator'],
  responses: { 200: { description: 'Those of the last hour.', schema: confirmationsSchema } },
  async handle({ services }) {
    const rows: Row[] = await services.database('confirmations').leftJoin('users', 'users.id', 'confirmations.requested_by')
      .whereNull('confirmations.confirmed_at').whereRaw('confirmations.expires_at > now()').orderBy('confirmations.requested_at')
      .select('confirmations.id', 'confirmations.action', 'confirmations.target', 'confirmations.reason', 'confirmations.requested_by', 'users.email', 'confirmations.requested_at', 'confirmations.expires_at');
    const data = rows.map((row) => ({
      id: row.id, action: row.action, ...told(services.directory, row), reason: row.reason,
      requested_by: row.requested_by, email: row.email, requested_at: formatTime(row.requested_at.getTime()), expires_at: formatTime(row.expires_at.getTime()),
    }));
    return { status: 200, body: { data } };
  },
});

export const confirmationsRoutes: Route[] = [list];
