/** Which scopes do not trade normally: everything, a class, a market, an instrument. */
import { NONE, TRADING_MODES, classOf } from '../../engine/vocabulary.ts';
import type { TradingMode } from '../../engine/vocabulary.ts';
import type { TradingModeView } from './market_data.ts';

const covers = (scope: number, value: number): boolean => scope === NONE || scope === value;

export class TradingModes {
  private readonly byScope = new Map<string, TradingModeView>();

  set(view: TradingModeView): void {
    const scope = `${view.class}:${view.market}:${view.hour}`;
    if (view.mode === 'open') this.byScope.delete(scope);
    else this.byScope.set(scope, view);
  }

  /** Hours up to this one are over: what was held back in one of them holds nothing back any more. */
  drop(hour: number): void {
    for (const [scope, view] of this.byScope) if (view.hour !== NONE && view.hour <= hour) this.byScope.delete(scope);
  }

  all(): TradingModeView[] {
    return [...this.byScope.values()];
  }

  /** The strictest mode of all scopes that cover the instrument. */
  of(market: number, hour: number): { mode: TradingMode; reason: string } {
    let strictest: { mode: TradingMode; reason: string } = { mode: 'open', reason: '' };
    for (const view of this.byScope.values()) {
      if (!covers(view.class, classOf(market)) || !covers(view.market, market) || !covers(view.hour, hour)) continue;
      if (TRADING_MODES.indexOf(view.mode) > TRADING_MODES.indexOf(strictest.mode)) strictest = view;
    }
    return strictest;
  }
}
