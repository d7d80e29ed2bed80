/** What the demo market quotes: which asks follow from the real offers, in which hours, by which companies. */
import { demoAsk } from '../../db/seed/list_price.ts';
import { OFFERS, PROVIDERS } from '../../db/seed/offers.ts';
import { marketOf } from '../../engine/vocabulary.ts';
import type { CompanyId, MarketId } from '../../engine/vocabulary.ts';
import { PARAMETERS } from '../../engine/parameters.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import type { Hour, Millis, Ticks } from '../../engine/numbers/units.ts';

/** The classes with bids, trades and a day of hours; offered in every region. The others quote their offers for the nearest hours. */
export const MAIN_CLASSES = ['H100-SXM-80', 'A100-SXM-80', 'L40S-PCIe-48', 'H100-PCIe-80', 'B200-SXM-180', 'RTX4090-PCIe-24'] as const;

/** Companies that bid and take: borrowers of the demo that pay with prepaid credit. */
export const BIDDERS = [
  'Aurora Labs', 'Basalt AI', 'Cobalt Robotics', 'Delta Genomics', 'Ember Studio', 'Fathom Health', 'Garnet Vision', 'Helio Weather',
] as const;
/** Pays for the inference load, and buys for it on these classes only. */
export const LOAD_COMPANY = 'Foundry Copilot';
export const LOAD_CLASSES: readonly string[] = ['A100-SXM-80', 'L40S-PCIe-48', 'RTX4090-PCIe-24'];

const MAIN_HOURS_AHEAD = 24;
const MAIN_DAYS_AHEAD = 7;
/** The hour of the day (UTC) that stands for a day further ahead. */
const DAY_HOUR = 14;
const OTHER_HOURS_AHEAD = 2;
const BID_HOURS_AHEAD = 7;
/** Before a spot book ends: no command may arrive late. */
const SPOT_MARGIN: Millis = 3_000;

/** One price at which a company offers on a market. */
export interface AskSlot {
  company: CompanyId;
  market: MarketId;
  price: Ticks;
}

export interface QuotedMarket {
  market: MarketId;
  main: boolean;
  /** By price, then company. */
  asks: readonly AskSlot[];
}

export interface Names {
  companyId(provider: string): CompanyId;
  marketId(className: string, region: string): MarketId;
  /** Now effective. */
  listPrice(className: string): Ticks;
}

/** A provider offers a class in its region at each of its offers' prices: once per distinct price. */
export function quotedMarkets(names: Names): QuotedMarket[] {
  const regionOf = new Map(PROVIDERS.map(({ provider, region }) => [provider, region]));
  const markets = new Map<MarketId, Map<string, AskSlot>>();
  const main = new Set<MarketId>();
  for (const offer of OFFERS) {
    const region = regionOf.get(offer.provider);
    if (region === undefined) throw new Error(`no region for provider ${offer.provider}`);
    const market = names.marketId(offer.class, region);
    const slot = { company: names.companyId(offer.provider), market, price: demoAsk(offer.usd, names.listPrice(offer.class), PARAMETERS.redemptionRate) };
    const slots = markets.get(market) ?? new Map<string, AskSlot>();
    markets.set(market, slots.set(`${slot.company}:${slot.price}`, slot));
    if ((MAIN_CLASSES as readonly string[]).includes(offer.class)) main.add(market);
  }
  return [...markets]
    .map(([market, slots]) => ({ market, main: main.has(market), asks: [...slots.values()].sort((a, b) => a.price - b.price || a.company - b.company) }))
    .sort((a, b) => a.market - b.market);
}

/** Where a provider needs capacity: each class of its offers in its region. */
export function offeredMarkets(classId: (name: string) => number, regionId: (name: string) => number): { provider: string; market: MarketId; class: string }[] {
  return PROVIDERS.flatMap(({ provider, region }) => {
    const classes = [...new Set(OFFERS.filter((offer) => offer.provider === provider).map((offer) => offer.class))];
    return classes.map((name) => ({ provider, class: name, market: marketOf(classId(name), regionId(region)) }));
  });
}

export const hourOf = (now: Millis): Hour => Math.floor(now / MILLIS_PER_HOUR);
/** Full minutes left of the running hour, the one that runs included. */
export const minutesLeft = (now: Millis): number => Math.ceil((MILLIS_PER_HOUR - (now % MILLIS_PER_HOUR)) / 60_000);

/** The hours in which asks stand: the running one while it trades, then those ahead. */
export function askHours(now: Millis, main: boolean): Hour[] {
  const running = hourOf(now);
  const hours = spotTrades(now) ? [running] : [];
  const ahead = main ? MAIN_HOURS_AHEAD : OTHER_HOURS_AHEAD;
  for (let hour = running + 1; hour <= running + ahead; hour++) hours.push(hour);
  const today = Math.floor(now / MILLIS_PER_DAY);
  for (let day = today + 1; main && day <= today + MAIN_DAYS_AHEAD; day++) {
    const hour = day * 24 + DAY_HOUR;
    if (hour > running + ahead) hours.push(hour);
  }
  return hours;
}

/** The hours in which bids stand and trades happen. */
export const bidHours = (now: Millis): Hour[] => askHours(now, true).filter((hour) => hour <= hourOf(now) + BID_HOURS_AHEAD);

const spotTrades = (now: Millis): boolean => MILLIS_PER_HOUR - (now % MILLIS_PER_HOUR) > PARAMETERS.spotEndsBefore + SPOT_MARGIN;
