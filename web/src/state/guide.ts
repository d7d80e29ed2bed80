/** A first visitor's way to the first completion, offer, loan or halt: what is done, what is next, and where that is. */
import { toMicro, toTicks } from './decimal.ts';
import * as format from './format.ts';
import { hourAt, makeInstrument, MILLIS_PER_HOUR, parseInstrument, phaseOf } from './instrument.ts';
import type { TicketFields } from './ticket.ts';
import type { WireAllocation, WireAudit, WireBalances, WireCapacity, WireCurvePoint, WireFacility, WireLot, WireMandate, WireModel, WireOrder } from './wire.ts';

export interface GuideStep {
  title: string;
  /** What to do there. */
  how: string;
  href: string;
  /** What is pointed at on that screen: the element with this `data-step`. */
  target: string;
  done: boolean;
  /** What it waits for, engine time in milliseconds. */
  until?: number;
}

type Offered = Pick<WireModel, 'kind' | 'pricing'>;
/** Whether a program could be served from the running hour as it is on offer now. */
export const hasSpot = (models: readonly Offered[]): boolean => models.some(({ kind, pricing }) => kind === 'chat' && pricing.live !== null);

/** Time enough left of the running hour to buy it and use it. */
const WORTH_MILLIS = 5 * 60_000;

/**
 * Where an hour can be bought that answers soonest: the running one, of the cheapest ask that serves a chat model, or else the
 * first hour to come that somebody asks a price for, in `favourite`, a `CLASS.region`, where that can be.
 */
export function soonestAsk(points: readonly Pick<WireCurvePoint, 'instrument' | 'best_ask'>[], models: readonly Offered[], now: number, favourite = ''): string | undefined {
  const running = hourAt(now);
  const spot = models.flatMap(({ kind, pricing: { live } }) => (kind === 'chat' && live !== null ? [live] : [])).sort((one, other) => toTicks(one.price) - toTicks(other.price))[0];
  const [className, region] = spot?.market.split('.') ?? [];
  if (className !== undefined && region !== undefined && (running + 1) * MILLIS_PER_HOUR - now >= WORTH_MILLIS) return makeInstrument(className, region, running).id;
  const asked = points.flatMap(({ instrument, best_ask: ask }) => {
    const hour = parseInstrument(instrument)?.hour;
    return ask === null || hour === undefined || hour <= running ? [] : [{ instrument, hour, ask: toTicks(ask), away: instrument.startsWith(`${favourite}.`) ? 0 : 1 }];
  });
  return asked.sort((one, other) => one.hour - other.hour || one.away - other.away || one.ask - other.ask)[0]?.instrument;
}

/** Of the hours bought: whether one runs that has time left, and when the next begins, milliseconds. */
export function ownHours(allocations: readonly Pick<WireAllocation, 'instrument' | 'quantity' | 'used' | 'status' | 'frozen'>[], now: number): { runs: boolean; next: number | undefined } {
  const open = allocations.filter(({ status, frozen, quantity, used }) => (status === 'open' || status === 'delivering') && !frozen && toMicro(used) < toMicro(quantity));
  const hours = open.flatMap(({ instrument }) => parseInstrument(instrument)?.hour ?? []);
  const ahead = hours.filter((hour) => phaseOf(hour, now) === 'ahead' || phaseOf(hour, now) === 'gate');
  return { runs: hours.includes(hourAt(now)), next: ahead.length === 0 ? undefined : Math.min(...ahead) * MILLIS_PER_HOUR };
}

export interface BorrowerFacts {
  facilities: readonly WireFacility[];
  lots: readonly WireLot[];
  allocations: readonly WireAllocation[];
  /** Requests that were answered so far. */
  requests: number;
  ticket: Pick<TicketFields, 'price' | 'quantity'>;
  /** Engine time, milliseconds. */
  now: number;
  /** The instrument to buy; '' when nobody asks a price for any hour, undefined while that is not known. */
  ask: string | undefined;
  /** A key that buys spot is served now. */
  spot: boolean;
}

const isUsed = (allocation: Pick<WireAllocation, 'used'>): boolean => toMicro(allocation.used) > 0n;

/** Whether a completion was served, as far as the hours bought tell. */
export const hasCompleted = (allocations: readonly Pick<WireAllocation, 'used'>[]): boolean => allocations.some(isUsed);

/** The parts of a bid, one after the other, as the ticket is filled in. */
function bidding({ ticket, ask }: Pick<BorrowerFacts, 'ticket' | 'ask'>): Pick<GuideStep, 'how' | 'target'> {
  if (ask === '') return { how: 'Nobody offers an hour at the moment. Leave a bid, or come back when a provider has.', target: 'price' };
  if (ticket.price === '') return { how: 'Click the lowest ask in the order book: it fills in the price.', target: 'price' };
  if (ticket.quantity === '') return { how: 'Enter how many GPU-hours you want; one is enough.', target: 'quantity' };
  return { how: 'Look at what it costs all in, then press Buy.', target: 'send' };
}

/** What can be done before the first answer: with an hour that runs, with the spot book, or with neither. */
function calling({ allocations, now, spot }: Pick<BorrowerFacts, 'allocations' | 'now' | 'spot'>): Pick<GuideStep, 'how' | 'until'> {
  const { runs, next } = ownHours(allocations, now);
  if (runs || (next === undefined && spot)) return { how: 'Create a key, then send the prompt: the answer says what it cost.' };
  const begins = next === undefined ? {} : { until: next };
  if (spot) return { how: `Your hour begins at ${format.hourTime(hourAt(next ?? now))} UTC. A key that may buy spot is served at once: create one and send the prompt.`, ...begins };
  return next === undefined
    ? { how: 'No hour of yours is left: buy another one under Trade. A test key answers from the sandbox.' }
    : { how: `Your hour begins at ${format.hourTime(hourAt(next))} UTC; then send the prompt. Until then a test key answers, from the sandbox.`, ...begins };
}

export function borrowerGuide(facts: BorrowerFacts): GuideStep[] {
  const { facilities, lots, allocations, requests, ask } = facts;
  const drawn = lots.length > 0;
  const accepted = drawn || facilities.some(({ accepted_at }) => accepted_at !== null);
  return [
    { title: 'Apply for a facility', how: 'Ten answers; the scorecard decides at once and says why.', href: '/credit', target: 'apply', done: accepted || facilities.length > 0 },
    { title: 'Accept the offer', how: 'Read what it costs in all, then confirm.', href: '/credit', target: 'accept', done: accepted },
    { title: 'Draw', how: 'Each dollar drawn mints 1.25 to 1.50 credits.', href: '/credit', target: 'draw', done: drawn },
    { title: 'Buy an hour', ...bidding(facts), href: ask ? `/trade/${ask}` : '/trade', done: allocations.length > 0 || requests > 0 },
    { title: 'Call a model', ...calling(facts), href: '/developers', target: 'call', done: requests > 0 || hasCompleted(allocations) },
  ];
}

export interface ProviderFacts {
  balances: Pick<WireBalances, 'bond'>;
  capacity: readonly WireCapacity[];
  orders: readonly WireOrder[];
}

export function providerGuide({ balances, capacity, orders }: ProviderFacts): GuideStep[] {
  const href = '/provider';
  return [
    { title: 'Post a bond', how: 'It covers damages: 25 % of what you would be paid.', href, target: 'bond', done: toMicro(balances.bond) > 0n },
    { title: 'Declare capacity', how: 'How many GPUs of a class you have in a region.', href, target: 'capacity', done: capacity.length > 0 },
    { title: 'Register an endpoint', how: 'A completion from it verifies the capacity.', href, target: 'endpoint', done: capacity.some(({ verified_gpus }) => verified_gpus > 0) },
    { title: 'Offer an hour', how: 'Click a free hour in the calendar, set a price and the GPUs. The running hour sells at once.', href, target: 'offer', done: orders.some(({ side }) => side === 'sell') },
  ];
}

export interface LenderFacts {
  mandates: readonly Pick<WireMandate, 'state'>[];
  facilities: readonly Pick<WireFacility, 'accepted_at'>[];
}

export function lenderGuide({ mandates, facilities }: LenderFacts): GuideStep[] {
  const href = '/credit';
  const lent = facilities.some(({ accepted_at }) => accepted_at !== null);
  return [
    { title: 'Give a mandate', how: 'How much you fund, for which grades and from which rate.', href, target: 'mandate', done: lent || mandates.length > 0 },
    { title: 'Your first loan', how: 'It comes by itself: the first borrower who fits and accepts stands under Facilities.', href, target: 'facilities', done: lent },
  ];
}

/** What an operator has done so far, as the audit tells it. */
export function operatorGuide(acts: readonly Pick<WireAudit, 'action'>[]): GuideStep[] {
  const href = '/operator';
  const did = (name: RegExp): boolean => acts.some(({ action }) => name.test(action));
  const [halted, resumed] = [did(/halt/), did(/resume/)];
  return [
    { title: 'Try the brake', how: 'Name one instrument of a far hour, press Halt and say why. Nothing else stops.', href, target: 'halt', done: halted || resumed },
    { title: 'Let it go', how: 'Press Resume. It takes a second operator, who confirms it on this screen.', href, target: 'halt', done: resumed },
  ];
}
