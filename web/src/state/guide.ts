/** A first visitor's way to the first completion, offer, loan or halt: what is done, what is next, and where that is. */
import { toMicro } from './decimal.ts';
import type { TicketFields } from './ticket.ts';
import type { WireAllocation, WireAudit, WireBalances, WireCapacity, WireFacility, WireLot, WireMandate, WireOrder } from './wire.ts';

export interface GuideStep {
  title: string;
  /** What to do there. */
  how: string;
  href: string;
  /** What is pointed at on that screen: the element with this `data-step`. */
  target: string;
  done: boolean;
}

export interface BorrowerFacts {
  facilities: readonly WireFacility[];
  lots: readonly WireLot[];
  allocations: readonly WireAllocation[];
  /** Requests that were answered so far. */
  requests: number;
  ticket: Pick<TicketFields, 'price' | 'quantity'>;
}

const isUsed = (allocation: Pick<WireAllocation, 'used'>): boolean => toMicro(allocation.used) > 0n;

/** Whether a completion was served, as far as the hours bought tell. */
export const hasCompleted = (allocations: readonly Pick<WireAllocation, 'used'>[]): boolean => allocations.some(isUsed);

/** The parts of a bid, one after the other, as the ticket is filled in. */
function bidding(ticket: BorrowerFacts['ticket']): Pick<GuideStep, 'how' | 'target'> {
  if (ticket.price === '') return { how: 'Click the lowest ask in the order book: it fills in the price.', target: 'price' };
  if (ticket.quantity === '') return { how: 'Enter how many GPU-hours you want; one is enough.', target: 'quantity' };
  return { how: 'Look at what it costs all in, then press Buy.', target: 'send' };
}

export function borrowerGuide({ facilities, lots, allocations, requests, ticket }: BorrowerFacts): GuideStep[] {
  const drawn = lots.length > 0;
  const accepted = drawn || facilities.some(({ accepted_at }) => accepted_at !== null);
  return [
    { title: 'Apply for a facility', how: 'Ten answers; the scorecard decides at once and says why.', href: '/credit', target: 'apply', done: accepted || facilities.length > 0 },
    { title: 'Accept the offer', how: 'Read what it costs in all, then confirm.', href: '/credit', target: 'accept', done: accepted },
    { title: 'Draw', how: 'Each dollar drawn mints 1.25 to 1.50 credits.', href: '/credit', target: 'draw', done: drawn },
    { title: 'Buy an hour', ...bidding(ticket), href: '/trade', done: allocations.length > 0 || requests > 0 },
    { title: 'Call a model', how: 'Create a key, then send the prompt: the answer says what it cost.', href: '/developers', target: 'call', done: requests > 0 || hasCompleted(allocations) },
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
    { title: 'Offer an hour', how: 'Click a free hour in the calendar, set a price and the GPUs.', href, target: 'offer', done: orders.some(({ side }) => side === 'sell') },
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
