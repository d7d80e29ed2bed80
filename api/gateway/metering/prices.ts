/** What models cost at this minute's book, beside list price. Micro-CR for a million tokens. */
import { classOf } from '../../../engine/vocabulary.ts';
import type { ClassId, MarketId } from '../../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import type { Micro, Ticks } from '../../../engine/numbers/units.ts';
import type { Services } from '../../services.ts';
import type { Model } from '../catalogue/catalogue.ts';
import { perMillionTokens } from '../catalogue/ratings.ts';
import type { RatingBook } from '../catalogue/rating_book.ts';
import type { Rating } from '../catalogue/roofline.ts';

export interface TokenPrice {
  class: ClassId;
  rated: Rating;
  prompt: Micro;
  completion: Micro;
}
export interface LivePrice extends TokenPrice {
  market: MarketId;
  /** The ask: ticks per GPU-hour. */
  price: Ticks;
}
export interface ModelPrices {
  /** The cheapest ask whose provider serves the model, of the running hour, in its last minute of the next; null: none. */
  live: LivePrice | null;
  /** At list price: on the class of the live price, else on the cheapest; null: no listed class holds the model. */
  list: TokenPrice | null;
}

const FRESH_MILLIS = 1_000;
const LAST_MINUTE = 60_000;

export class Prices {
  private readonly services: Pick<Services, 'directory' | 'market' | 'committed'>;
  private readonly ratings: RatingBook;
  private readonly known = new Map<string, { at: number; prices: ModelPrices }>();

  constructor(services: Pick<Services, 'directory' | 'market' | 'committed'>, ratings: RatingBook) {
    this.services = services;
    this.ratings = ratings;
  }

  /** At most a second old. */
  of(model: Model): ModelPrices {
    const now = Date.now();
    const known = this.known.get(model.id);
    if (known !== undefined && now - known.at < FRESH_MILLIS) return known.prices;
    const live = this.live(model);
    const prices = { live, list: this.list(model, live?.class) };
    this.known.set(model.id, { at: now, prices });
    return prices;
  }

  private live(model: Model): LivePrice | null {
    const { directory, market, committed } = this.services;
    const modelId = directory.modelId(model.id);
    const hour = Math.floor((committed.now + LAST_MINUTE) / MILLIS_PER_HOUR);
    const markets = new Set(directory.capacities().filter(({ models }) => models.includes(modelId)).map((entry) => entry.market));
    let best: LivePrice | null = null;
    for (const id of markets) {
      const rated = this.ratings.inForce(hour).of(model.id).get(directory.className(classOf(id)));
      const [ask] = market.depth(market.instrumentOf(id, hour), 1, modelId).asks;
      if (rated === undefined || ask === undefined) continue;
      const found = { market: id, price: ask.price, ...priced(classOf(id), rated, ask.price) };
      if (best === null || weight(found) < weight(best)) best = found;
    }
    return best;
  }

  private list(model: Model, only: ClassId | undefined): TokenPrice | null {
    const ratings = this.ratings.inForce(Math.floor(this.services.committed.now / MILLIS_PER_HOUR)).of(model.id);
    const classes = this.services.directory.classes().filter((entry) => only === undefined || entry.class === only);
    const found = classes.flatMap((entry) => {
      const rated = ratings.get(entry.name);
      return rated === undefined || entry.listPrice <= 0 ? [] : [priced(entry.class, rated, entry.listPrice)];
    });
    return found.sort((a, b) => weight(a) - weight(b))[0] ?? null;
  }
}

const priced = (classId: ClassId, rated: Rating, price: Ticks): TokenPrice => ({
  class: classId, rated, prompt: perMillionTokens(rated.prompt, price), completion: perMillionTokens(rated.completion, price),
});
/** Requests read about as much as they write. */
const weight = ({ prompt, completion }: TokenPrice): number => prompt + completion;
