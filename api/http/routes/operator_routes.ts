/** What runs the market and keeps it safe. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { NONE, TRADING_MODES } from '../../../engine/vocabulary.ts';
import type { SetTradingMode } from '../../../engine/commands.ts';
import type { TradingMode } from '../../../engine/vocabulary.ts';
import { MILLIS_PER_DAY, formatMicro } from '../../../engine/numbers/units.ts';
import type { Millis } from '../../../engine/numbers/units.ts';
import type { InvariantCheck } from '../../../engine/queries.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { Unavailable } from '../../sequencer/port.ts';
import type { Committed } from '../../committed.ts';
import type { Services } from '../../services.ts';
import { formatPercent, formatRate, formatTime } from '../wire/amounts.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { facilitiesOf } from './facilities_routes.ts';
import { decodeNumberCursor, encodeCursor, LIMIT_DEFAULT } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Route } from '../route.ts';
import { phaseOf } from '../../market/instruments.ts';
import { scopeName } from '../../market/wire.ts';
import { instant, line, pageOf, pageQuery } from '../wire/schemas.ts';
import { marketCaughtUp, submit } from '../submit.ts';
import { confirmedByTwo, onceOfPerson, pendingSchema } from '../two_persons.ts';

const tag = 'operator';
const text = z.string();
const operator = ['operator'] as const;

type Scope = Pick<SetTradingMode, 'class' | 'market' | 'hour'>;
/** Ways to say it; the first is how it is answered. */
const EVERYTHING: ReadonlySet<string> = new Set(['*', 'all']);

/** `*`, a class, CLASS.region, or an instrument. @throws ApiError instrument_unknown */
function scopeOf(directory: Directory, name: string): Scope {
  if (EVERYTHING.has(name)) return { class: NONE, market: NONE, hour: NONE };
  const classId = directory.classId(name);
  if (classId !== NONE) return { class: classId, market: NONE, hour: NONE };
  const instrument = directory.instrument(name);
  if (instrument !== undefined) return { class: NONE, ...instrument };
  const dot = name.lastIndexOf('.');
  const market = dot < 0 ? NONE : directory.marketId(name.slice(0, dot), name.slice(dot + 1));
  if (market === NONE) throw new ApiError('instrument_unknown', { field: 'scope' });
  return { class: NONE, market, hour: NONE };
}

/** Whether it is one hour that is over, or so far ahead that nobody trades it yet. */
const isUnlisted = ({ market }: Services, { hour }: Scope): boolean => hour !== NONE && ['closed', 'scheduled'].includes(phaseOf(hour, market.now));

const scopeBody = z.strictObject({ scope: z.string().min(1).max(200).describe('`*` for everything, a class, CLASS.region, or an instrument'), reason: line(500) });
interface ModeBody {
  scope: string;
  reason: string;
  call_seconds?: number | undefined;
}
const callBody = scopeBody.extend({ call_seconds: z.number().int().min(1).max(86_400).optional().describe('Orders collect for so long, then execute at one price and trading is open') });
const modeSchema = z.object({ scope: text, mode: z.enum(TRADING_MODES), reason: text });

const setMode = (verb: 'halt' | 'cancel-only' | 'auction' | 'resume', usual: TradingMode, summary: string, bodySchema: z.ZodType<ModeBody> = scopeBody): Route =>
  route({
    method: 'post', path: `/api/v1/markets/${verb}`, operationId: `${verb.replace('-o', 'O')}Markets`, summary, tag, scope: 'operate', roles: operator, body: bodySchema,
    responses: {
      200: { description: 'Done.', schema: modeSchema },
      202: { description: 'It loosens what protects the market: another operator must make the same call.', schema: pendingSchema },
    },
    async handle(context) {
      const { services, body } = context;
      const actor = principalIn(context);
      const scope = scopeOf(services.directory, body.scope);
      const name = scopeName(services.directory, scope);
      const call = (body.call_seconds ?? 0) * 1_000;
      const mode = call > 0 ? 'auction' : usual;
      await marketCaughtUp(services);
      if (isUnlisted(services, scope)) throw new ApiError('instrument_unknown', { field: 'scope' });
      return onceOfPerson(context, actor.user, async (transaction) => {
        let details: Record<string, unknown> = {};
        if (loosens(services, scope, mode)) {
          const target = JSON.stringify(call > 0 ? { ...scope, call } : scope);
          const { pending, requestedBy } = await confirmedByTwo(transaction, { action: verb, target, reason: body.reason, person: actor.user });
          if (pending !== undefined) {
            await recordAudit(transaction, { at: services.committed.now, actor, action: `${verb}.requested`, target: name, reason: body.reason });
            return pending;
          }
          details = { requested_by: requestedBy };
        }
        await applyMode({ services, actor, scope, mode, call, reason: body.reason, record: { database: transaction, action: verb, target: name, details } });
        return { reply: { status: 200, body: { scope: name, mode, reason: body.reason } } };
      });
    },
  });

interface ModeChange {
  services: Services;
  actor: Principal;
  scope: Scope;
  mode: TradingMode;
  /** Milliseconds after which a call ends by itself; 0: it does not. */
  call: number;
  reason: string;
  record: { database: Parameters<typeof recordAudit>[0]; action: string; target: string; details?: Record<string, unknown> };
}

async function applyMode({ services, actor, scope, mode, call, reason, record }: ModeChange): Promise<void> {
  const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, { type: 'setTradingMode', company: actor.company, ...scope, mode, reason, ...(call > 0 ? { call } : {}) });
  await recordAudit(record.database, { at: ack.now, actor, action: record.action, target: record.target, reason, details: record.details, sequence: ack.sequence });
}

/** Whether the scope is held back more than it would be. */
function loosens({ market }: Services, scope: Scope, mode: TradingMode): boolean {
  const set = market.modes().find((view) => view.class === scope.class && view.market === scope.market && view.hour === scope.hour);
  return TRADING_MODES.indexOf(mode) < TRADING_MODES.indexOf(set?.mode ?? 'open');
}

const checkSchema = z.object({ number: z.number().int(), name: text, ok: z.boolean(), detail: text });

const invariants = route({
  method: 'get', path: '/api/v1/invariants', operationId: 'getInvariants', summary: 'Whether every invariant of the books holds, now', tag, scope: 'operate', roles: operator,
  responses: { 200: { description: 'The hash as of `sequence`; each check as of a moment just before it, because commands go on between them.', schema: z.object({ ok: z.boolean(), checks: z.array(checkSchema), state_hash: text, sequence: z.number().int() }) } },
  async handle(context) {
    const { sequencer } = context.services;
    const checks: InvariantCheck[] = [];
    for (let [from, count] = [0, 1]; checks.length < count; ) {
      const part = await sequencer.query('invariantPart', { place: checks.length, from });
      // What is broken is told at once, the rest of it is of no account.
      from = part.check.ok ? part.next : 0;
      if (from === 0) checks.push(part.check);
      ({ count } = part);
    }
    const { stateHash, sequence } = await sequencer.query('stateHash', {});
    return { status: 200, body: { ok: checks.every((check) => check.ok), checks, state_hash: stateHash, sequence } };
  },
});

const exposureSchema = z.object({
  company: text, facility_id: text, state: text, principal: text, accrued_interest: text, days_past_due: z.number().int(), frozen_fraction: text,
  utilisation_percent: text,
});

const risk = route({
  method: 'get', path: '/api/v1/risk', operationId: 'getRisk', summary: 'Exposure by facility, and what holds trading back', tag, scope: 'operate', roles: operator,
  responses: { 200: { description: 'As of the last command.', schema: z.object({ exposures: z.array(exposureSchema), outstanding: text, modes: z.array(modeSchema) }) } },
  async handle(context) {
    const { services } = context;
    const { directory } = services;
    const views = (await facilitiesOf(services, principalIn(context))).filter((view) => view.acceptedAt > 0);
    const exposures = views.map((view) => ({
      company: directory.companyName(view.company), facility_id: `fac_${view.facility}`, state: view.state, principal: formatMicro(view.principal),
      accrued_interest: formatMicro(view.accruedInterest), days_past_due: view.daysPastDue, frozen_fraction: formatRate(view.frozenFraction),
      utilisation_percent: formatPercent(view.amount === 0 ? 0 : Number((BigInt(view.drawn) * 1_000_000n) / BigInt(view.amount))),
    }));
    const outstanding = formatMicro(views.reduce((total, view) => total + BigInt(view.principal), 0n));
    const modes = services.market.modes().map((view) => ({ scope: scopeName(directory, view), mode: view.mode, reason: view.reason }));
    return { status: 200, body: { exposures, outstanding, modes } };
  },
});

const auditSchema = z.object({
  id: text, at: text, actor: text, email: text.nullable().describe('Of the actor, where it is a person'), company: text.nullable(), action: text, target: text, reason: text, details: z.record(z.string(), z.unknown()), sequence: z.number().int().nullable(),
});
interface AuditRow {
  id: string;
  at: Date;
  actor: string;
  email: string | null;
  company: number | null;
  action: string;
  target: string;
  reason: string;
  details: Record<string, unknown>;
  sequence: string | null;
}

const audit = route({
  method: 'get', path: '/api/v1/audit', operationId: 'listAudit', summary: 'Who did what, when and why', tag, scope: 'operate', roles: operator, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(auditSchema) } },
  async handle({ services, query }) {
    const limit = query.limit ?? LIMIT_DEFAULT;
    const after = decodeNumberCursor(query.cursor);
    const rows = await services.database('audit').leftJoin('users', 'users.id', 'audit.actor').where('audit.id', '<', after ?? Number.MAX_SAFE_INTEGER).orderBy('audit.id', 'desc').limit(limit + 1)
      .select<AuditRow[]>('audit.*', 'users.email');
    const page = rows.slice(0, limit);
    return {
      status: 200,
      body: { data: page.map((row) => auditWire(services.directory, row)), next_cursor: rows.length > limit ? encodeCursor(page[limit - 1].id) : null },
    };
  },
});

const auditWire = (directory: Directory, row: AuditRow): z.infer<typeof auditSchema> => ({
  id: row.id,
  at: row.at.toISOString(),
  actor: row.actor,
  email: row.email,
  company: row.company === null ? null : directory.companyName(row.company),
  action: row.action,
  target: row.target,
  reason: row.reason,
  details: row.details,
  sequence: row.sequence === null ? null : Number(row.sequence),
});

/** A hundred years. Every timer due has to run, some 17,000 in a year; without a bound a slip of the pen keeps the engine busy for hours. */
const CLOCK_STEP_MILLIS_MAX = 36_525 * MILLIS_PER_DAY;

/** Projections that stand still, because they are built anew perhaps, are not waited for as long as others. */
const PROJECTED_MILLIS_MAX = 30_000;
const STILL_MILLIS_MAX = 5_000;
/** How often a move of the clock is asked for again, and how long although nothing moves. */
const AGAIN_MILLIS = 250;
const STOOD_STILL_MILLIS = 15_000;

const clock = route({
  method: 'post', path: '/api/v1/clock', operationId: 'setClock', summary: 'Move engine time (CLOCK=manual); answers when every timer due has run', tag, scope: 'operate',
  roles: operator, body: z.strictObject({ now: instant }),
  responses: { 200: { description: 'Engine time now.', schema: z.object({ now: text }) } },
  async handle(context) {
    const { services, body } = context;
    if (services.config.clock !== 'manual') throw new ApiError('clock_not_manual');
    const wanted = Date.parse(body.now);
    if (wanted < services.committed.now) throw new ApiError('clock_backwards', { field: 'now' });
    if (wanted > services.committed.now + CLOCK_STEP_MILLIS_MAX) throw new ApiError('invalid_request', { field: 'now', values: { detail: 'now: may be at most 36525 days ahead of the present engine time' } });
    const reached = await moveClock(services, wanted);
    // Who reads the past next finds there what has become due.
    await services.projections.waitFor(services.committed.sequence, PROJECTED_MILLIS_MAX, undefined, STILL_MILLIS_MAX);
    return { status: 200, body: { now: formatTime(reached) } };
  },
});

/**
 * A leap of days is a batch that may take the journal longer than others wait, who are told then that the market answers nobody. It goes on
 * all the same, and to ask for it again asks for nothing else: only when time has stood still for a while is that the answer.
 */
async function persistently<T>(committed: Pick<Committed, 'now'>, work: () => Promise<T>): Promise<T> {
  let { now } = committed;
  for (let since = performance.now(); ; await sleep(AGAIN_MILLIS)) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      if (committed.now !== now) since = performance.now();
      else if (performance.now() - since > STOOD_STILL_MILLIS) throw error;
      now = committed.now;
    }
  }
}

/** A leap stops where a list price takes effect, so that the one after it is announced in its time, not at the end of the leap. */
async function moveClock(services: Services, wanted: Millis): Promise<Millis> {
  let reached = services.committed.now;
  do {
    const passed = reached;
    const pending = services.directory.classes().map(({ next }) => next?.effectiveAt ?? Infinity).filter((at) => at > passed);
    reached = await persistently(services.committed, () => services.sequencer.setClock(Math.min(wanted, ...pending)));
    await Promise.all(Array.from(services.clockFollowers, (follow) => persistently(services.committed, follow)));
  } while (reached < wanted);
  return reached;
}

export const operatorRoutes: Route[] = [
  setMode('halt', 'halted', 'Stop trading'),
  setMode('cancel-only', 'cancel_only', 'Accept cancels only'),
  setMode('auction', 'auction', 'Take orders without trading; they execute at one price on resume, or after `call_seconds`', callBody),
  setMode('resume', 'open', 'Trade again, at once or by a call of `call_seconds`; takes two operators', callBody),
  invariants, risk, audit, clock,
];
