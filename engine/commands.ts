/**
 * Everything that can change the state of the market. A command is plain data: it carries no
 * clock and no randomness, so that executing the journal again gives the same state and events.
 *
 * Names refer to things by number (company, market, class, model ...); the directory maps them to
 * the names used on the wire. Amounts are integers in the units of units.ts.
 */
import type { PlaceOrder, CancelOrder, AmendOrder, BatchOrders, CancelAll, CancelAfter, PlaceBlock } from './commands/orders.ts';
import type { Tick, EndHour, RegisterCompany, AddClass, AddRegion, AddModel, SetListPrice, SetTradingMode, SetBands, SetMarks, SetSwitch, SetMoneyRules, ClaimKey } from './commands/market.ts';
import type { Deposit, Withdraw, Prepay, GrantCredits, PostBond, Payout } from './commands/money.ts';
import type { CreateMandate, ChangeMandate, ApplyFacility, CounterOffer, OverruleFacility, DeclineFacility, AcceptFacility, SetFacilityOption, ReportFinancials, Draw, Repay, ReturnCredits, Freeze, Unfreeze } from './commands/lending.ts';
import type { DeclareCapacity, VerifyCapacity, SetEligibility, Capture, ReleasePending, ReportMinute, AnnulDelivery, PlatformDown, SuspendProvider, ReinstateProvider } from './commands/delivery.ts';

export type * from './commands/orders.ts';
export type * from './commands/market.ts';
export type * from './commands/money.ts';
export type * from './commands/lending.ts';
export type * from './commands/delivery.ts';

export type Command =
  | PlaceOrder | CancelOrder | AmendOrder | BatchOrders | CancelAll | CancelAfter | PlaceBlock
  | Tick | EndHour
  | RegisterCompany | AddClass | AddRegion | AddModel | SetListPrice
  | DeclareCapacity | VerifyCapacity | SetEligibility
  | Deposit | Withdraw | Prepay | PostBond | Payout
  | CreateMandate | ApplyFacility | AcceptFacility | Draw | Repay | ReturnCredits | Freeze | Unfreeze
  | SetTradingMode | Capture | ReleasePending | ReportMinute | AnnulDelivery | PlatformDown | SuspendProvider | ReinstateProvider
  | CounterOffer | OverruleFacility | DeclineFacility | SetFacilityOption | ReportFinancials | GrantCredits | SetSwitch | SetMoneyRules | SetMarks | SetBands | ClaimKey
  | ChangeMandate;

/** Every command's name; its place stands for it in events. New ones come last. */
export const COMMAND_TYPES = [
  'place', 'cancel', 'amend', 'batch', 'cancelAll', 'cancelAfter', 'placeBlock', 'tick', 'endHour', 'registerCompany', 'addClass', 'addRegion', 'addModel',
  'setListPrice', 'declareCapacity', 'verifyCapacity', 'setEligibility', 'deposit', 'withdraw', 'prepay', 'postBond', 'payout', 'createMandate', 'applyFacility',
  'acceptFacility', 'draw', 'repay', 'returnCredits', 'freeze', 'unfreeze', 'setTradingMode', 'capture', 'releasePending', 'reportMinute', 'annulDelivery',
  'platformDown', 'suspendProvider', 'reinstateProvider',
  'counterOffer', 'overruleFacility', 'declineFacility', 'setFacilityOption', 'reportFinancials', 'grantCredits', 'setSwitch', 'setMoneyRules', 'setMarks', 'setBands', 'claimKey',
  'changeMandate',
] as const;
export type CommandType = Command['type'];

/**
 * A command with the client's idempotency key: the engine remembers key and body for 24 h of engine
 * time. A repeat has no effect and names the sequence of the original.
 */
export interface Envelope {
  command: Command;
  /** Scoped by the caller (company, route); '' = none. */
  idempotencyKey: string;
  /** Digest of the request's body. */
  bodyHash: string;
}
