/** Whether a block may enter: the checks of single orders, over all its hours, in the same precedence. */
import { REJECT_CODES } from '../catalogue.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, GTC, GTD } from '../vocabulary.ts';
import type { PlaceBlock, PlaceOrder } from '../commands.ts';
import { requiredHold } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { OrderChecks } from './order_checks.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import type { HourBook } from './markets.ts';
import { MICRO, MILLIS_PER_HOUR, NOTIONAL_MICRO_MAX, NOT_A_MULTIPLE, PRICE_TICKS_MAX, QUANTITY_STEPS_MAX } from '../numbers/units.ts';

const RANK: ReadonlyMap<RejectCode, number> = new Map(REJECT_CODES.map((code, rank) => [code, rank]));
const rankOf = (code: RejectCode): number => RANK.get(code) ?? REJECT_CODES.length;

/** The one that stands first in the order of precedence. */
const earlier = (a: RejectCode | undefined, b: RejectCode | undefined): RejectCode | undefined =>
  a === undefined || (b !== undefined && rankOf(b) < rankOf(a)) ? b : a;

export class BlockChecks {
  private readonly state: State;
  private readonly checks: OrderChecks;

  constructor(state: State, checks: OrderChecks) {
    this.state = state;
    this.checks = checks;
  }

  /** `template`: the block as a single order; of a buy over all hours, of a sell in one. */
  refusal(command: PlaceBlock, template: PlaceOrder): RejectCode | undefined {
    return (
      this.tradingRefusal(command) ??
      amountRefusal(command) ??
      this.checks.partyRefusal(template) ??
      (command.side === BUY ? this.checks.buyRefusal(template, command.price, requiredHold(command.price * template.quantity, 0, 0, 0), undefined, command.toHour - 1) : this.sellRefusal(command, template)) ??
      (command.timeInForce === GTD ? 'invalid_parameter' : undefined)
    );
  }

  private everyHour(command: PlaceBlock, check: (hour: number, book: HourBook | undefined) => RejectCode | undefined): RejectCode | undefined {
    const { state } = this;
    const market = state.findMarket(command.market);
    const last = Math.min(command.toHour, command.fromHour + PARAMETERS.blockHoursMaximum);
    let found: RejectCode | undefined;
    for (let hour = command.fromHour; hour < last; hour++) {
      found = earlier(found, check(hour, market === undefined ? undefined : state.findBook(market, hour)));
    }
    return found;
  }

  /** Whether an hour is listed and before its gate is asked of the first and the last; a mode of its own each book may have. */
  private tradingRefusal(command: PlaceBlock): RejectCode | undefined {
    const { state } = this;
    const market = state.findMarket(command.market);
    const last = Math.min(command.toHour, command.fromHour + PARAMETERS.blockHoursMaximum);
    let found = earlier(this.hourRefusal(command, command.fromHour, undefined), this.hourRefusal(command, last - 1, undefined));
    for (let hour = command.fromHour; market !== undefined && hour < last; hour++) {
      const mode = state.findBook(market, hour)?.mode;
      if (mode === 'halted' || mode === 'cancel_only') found = earlier(found, mode);
    }
    return found;
  }

  private hourRefusal(command: PlaceBlock, hour: number, book: HourBook | undefined): RejectCode | undefined {
    const refusal = this.checks.tradingRefusal(this.state.markets.get(command.market), book, command.market, hour);
    if (refusal !== undefined) return refusal;
    const waits = command.side === BUY && command.timeInForce === GTC;
    const left = hour * MILLIS_PER_HOUR - this.state.now;
    return left <= (waits ? PARAMETERS.gateClosure : 0) ? 'gate_closed' : undefined;
  }

  private sellRefusal(command: PlaceBlock, template: PlaceOrder): RejectCode | undefined {
    const rests = command.timeInForce === GTC;
    const asks = command.toHour - command.fromHour;
    const { standing } = this.state;
    const many = rests && standing.openOrders(command.company) + asks > standing.orderLimit(command.company);
    return earlier(
      many ? 'too_many_orders' : undefined,
      this.everyHour(command, (hour, book) => {
        const cell = book === undefined ? NIL : this.state.providerCells.get(book.row, command.company);
        return this.checks.sellRefusal({ ...template, hour }, command.price, book, cell);
      }),
    );
  }
}

function amountRefusal({ price, quantity, fromHour, toHour, minimumAcceptanceRatio }: PlaceBlock): RejectCode | undefined {
  if (price === NOT_A_MULTIPLE) return 'invalid_tick';
  if (quantity === NOT_A_MULTIPLE) return 'invalid_step';
  const hours = toHour - fromHour;
  const outside =
    !(Number.isSafeInteger(hours) && hours >= PARAMETERS.blockHoursMinimum && hours <= PARAMETERS.blockHoursMaximum) ||
    !(price > 0 && price <= PRICE_TICKS_MAX) || !(quantity > 0 && quantity <= QUANTITY_STEPS_MAX) ||
    price * quantity * hours > NOTIONAL_MICRO_MAX ||
    !(minimumAcceptanceRatio >= 0 && minimumAcceptanceRatio <= MICRO);
  return outside ? 'amount_out_of_range' : undefined;
}
