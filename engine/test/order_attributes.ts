/**
 * Everything an order may be, as a table: what each attribute sets, and which two of them contradict
 * each other. The engine's and the api's tests of pairs are made from it.
 */
import { CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT } from '../vocabulary.ts';

/** What an attribute asks of an order; quantities and prices are the test's to fill in. */
export interface Traits {
  orderType?: number;
  timeInForce?: number;
  selfTradePrevention?: number;
  postOnly?: true;
  iceberg?: true;
  /** A part of the quantity, or all of it. */
  minimum?: 'part' | 'whole';
  /** A limit to what a market or stop order may pay or take. */
  protected?: true;
  expires?: true;
  cancelOnDisconnect?: true;
  model?: true;
  resale?: true;
  /** It is changed while it is in the market. */
  amended?: true;
}

export interface Attribute {
  readonly name: string;
  /** Of two that answer the same question an order has one. */
  readonly about: 'type' | 'time in force' | 'self-trade' | 'minimum' | 'other';
  readonly traits: Traits;
}

const attribute = (about: Attribute['about'], name: string, traits: Traits): Attribute => ({ name, about, traits });

export const ATTRIBUTES: readonly Attribute[] = [
  attribute('type', 'limit', { orderType: LIMIT }),
  attribute('type', 'market', { orderType: MARKET }),
  attribute('type', 'stop', { orderType: STOP }),
  attribute('type', 'stop-limit', { orderType: STOP_LIMIT }),
  attribute('time in force', 'gtc', { timeInForce: GTC }),
  attribute('time in force', 'gtd', { timeInForce: GTD, expires: true }),
  attribute('time in force', 'ioc', { timeInForce: IOC }),
  attribute('time in force', 'fok', { timeInForce: FOK }),
  attribute('self-trade', 'cancel newest', { selfTradePrevention: CANCEL_NEWEST }),
  attribute('self-trade', 'cancel oldest', { selfTradePrevention: CANCEL_OLDEST }),
  attribute('self-trade', 'cancel both', { selfTradePrevention: CANCEL_BOTH }),
  attribute('self-trade', 'decrement', { selfTradePrevention: DECREMENT }),
  attribute('minimum', 'minimum quantity', { minimum: 'part' }),
  attribute('minimum', 'all or none', { minimum: 'whole' }),
  attribute('other', 'post-only', { postOnly: true }),
  attribute('other', 'iceberg', { iceberg: true }),
  attribute('other', 'protection price', { protected: true }),
  attribute('other', 'expires_at', { expires: true }),
  attribute('other', 'cancel on disconnect', { cancelOnDisconnect: true }),
  attribute('other', 'names a model', { model: true }),
  attribute('other', 'resale', { resale: true }),
  attribute('other', 'amended', { amended: true }),
];

/** The field that a refusal of the api names when two attributes contradict each other; undefined when they go together. */
function contradiction(traits: Traits): string | undefined {
  const { orderType = LIMIT, timeInForce = traits.expires ? GTD : GTC } = traits;
  if (traits.expires && timeInForce !== GTD) return 'expires_at';
  if (traits.postOnly && (orderType !== LIMIT || timeInForce >= IOC)) return 'post_only';
  if (traits.model && traits.resale) return 'model';
  return undefined;
}

export interface Pair {
  readonly names: string;
  readonly first: Attribute;
  readonly second: Attribute;
  readonly traits: Traits;
  readonly contradiction: string | undefined;
}

const joined = (first: Attribute, second: Attribute): Pair => {
  const traits = { ...first.traits, ...second.traits };
  return { names: `${first.name} + ${second.name}`, first, second, traits, contradiction: contradiction(traits) };
};

/** Each two attributes that answer different questions. */
export const PAIRS: readonly Pair[] = ATTRIBUTES.flatMap((first, index) =>
  ATTRIBUTES.slice(index + 1).filter((second) => first.about === 'other' || first.about !== second.about).map((second) => joined(first, second)));
/** An attribute by itself is a pair with nothing. */
export const SINGLES: readonly Pair[] = ATTRIBUTES.map((only) => ({ names: only.name, first: only, second: only, traits: only.traits, contradiction: contradiction(only.traits) }));
