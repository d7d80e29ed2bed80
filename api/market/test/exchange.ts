/** A small exchange for tests: two classes, two regions, providers with capacity, borrowers with credit. */
import { CANCEL_NEWEST, GTC, LIMIT, NONE, SELL } from '../../../engine/vocabulary.ts';
import type { PlaceOrder } from '../../../engine/commands.ts';
import type { Role, Side } from '../../../engine/vocabulary.ts';
import type { EngineEvent } from '../../../engine/events.ts';
import { MICRO, MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import { Directory } from '../../directory.ts';
import { eventOf } from '../../sequencer/port.ts';
import { MarketView } from '../market_view.ts';
import type { TradeHistory } from '../trade_history.ts';
import { LoneEngine } from './lone_engine.ts';

export const START = Date.UTC(2026, 11, 1, 14, 10, 0);
/** The running hour, and the one most tests trade. */
export const RUNNING = Math.floor(START / MILLIS_PER_HOUR);
export const HOUR = RUNNING + 24;
export const INSTRUMENT = 'H100-SXM-80.us-east.20261202T14Z';
const FUNDS = 10_000_000 * MICRO;

export interface Exchange {
  sequencer: LoneEngine;
  directory: Directory;
  view: MarketView;
  providers: number[];
  buyers: number[];
}

function companyOf(sequencer: LoneEngine, role: Role, name: string, group = ''): number {
  const registered = eventOf(sequencer.run({ type: 'registerCompany', name, role, group }), 'companyRegistered');
  if (registered === undefined) throw new Error(`${name} was not registered`);
  return registered.company;
}

function addProvider(sequencer: LoneEngine, name: string, group: string): number {
  const company = companyOf(sequencer, 'provider', name, group);
  for (const market of [0, 1, 16, 17]) {
    sequencer.run({ type: 'declareCapacity', company, market, gpus: 100_000 });
    sequencer.run({ type: 'verifyCapacity', company, market, gpus: 100_000 });
  }
  sequencer.run({ type: 'deposit', company, amount: FUNDS, reference: '' });
  sequencer.run({ type: 'postBond', company, amount: FUNDS });
  return company;
}

function addBuyer(sequencer: LoneEngine, name: string, group: string): number {
  const company = companyOf(sequencer, 'borrower', name, group);
  sequencer.run({ type: 'deposit', company, amount: FUNDS, reference: '' });
  sequencer.run({ type: 'prepay', company, amount: FUNDS });
  return company;
}

/** Five of each side; the first provider and the first buyer have one owner. */
export async function openExchange(history?: TradeHistory): Promise<Exchange> {
  const sequencer = new LoneEngine();
  sequencer.run({ type: 'tick', now: START });
  for (const name of ['us-east', 'eu-west']) sequencer.run({ type: 'addRegion', name });
  const inputs = [{ provider: 'north', usd: 3 * MICRO }];
  sequencer.run({ type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 30_000, listInputs: inputs });
  sequencer.run({ type: 'addClass', name: 'A100-PCIE-40', chip: 'A100', memoryGb: 40, formFactor: 'PCIE', listPrice: 15_001, listInputs: inputs });
  sequencer.run({ type: 'addModel', name: 'small' });
  const owners = ['one', '', '', '', ''];
  const providers = owners.map((group, index) => addProvider(sequencer, `provider ${index}`, group));
  const buyers = owners.map((group, index) => addBuyer(sequencer, `buyer ${index}`, group));
  sequencer.run({ type: 'setEligibility', company: providers[1], market: 0, models: [0] });
  const { directory } = await Directory.load(sequencer);
  return { sequencer, directory, view: await MarketView.start(sequencer, directory, history), providers, buyers };
}

export const orderOf = (company: number, side: Side, price: number, quantity: number, more: Partial<PlaceOrder> = {}): PlaceOrder => ({
  type: 'place', company, market: 0, hour: HOUR, side, orderType: LIMIT, price, quantity, timeInForce: GTC, postOnly: false, displayQuantity: 0,
  minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false,
  clientOrderId: '', ...more,
});

/** Places an order; returns its id. @throws Error when it is refused */
export function place(exchange: Exchange, company: number, side: Side, price: number, quantity: number, more: Partial<PlaceOrder> = {}): number {
  const events: EngineEvent[] = exchange.sequencer.run(orderOf(company, side, price, quantity, more));
  const accepted = eventOf(events, 'orderAccepted');
  if (accepted === undefined) throw new Error(JSON.stringify(events));
  return accepted.order;
}

/** A trade between a provider and a buyer by their positions. */
export function trade(exchange: Exchange, provider: number, buyer: number, price: number, quantity: number, more: Partial<PlaceOrder> = {}): void {
  place(exchange, exchange.providers[provider], SELL, price, quantity, more);
  place(exchange, exchange.buyers[buyer], 0, price, quantity, more);
}
