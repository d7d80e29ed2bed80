/** Which rules commands are executed under: versions, and what each has changed. */

/**
 * Raised whenever the same commands would give other results; written beside every journalled batch.
 * 3: a minimum quantity binds orders that are triggered, amended or arrive again.
 * 4: what gate closure takes out is cancelled, what the end of spot trading takes out expires; financed buy blocks are judged hour by hour,
 *    a draw on demand by what it is spent on, and maturity before the price; post-only orders never take; an order arrives again when its
 *    minimum has shrunk, and with an own order in its way; stops that came in a call and are met go in.
 * 5: an order that loses its place in a call is as young as its new place; a look ahead counts what icebergs hide behind all that stands at
 *    their price, and a resting iceberg executes its minimum at once; a minute reported of a suspended provider has failed as suspended; an
 *    instalment planned while interest has accrued is alike to those after it, and a loan that is late is never expected to lose less than before;
 *    each lender lifts its own freeze alone; lots that are paid in full are nobody's collateral, and credit comes back for no more than is owed; a default
 *    burns what the debt needs, takes the borrower's cash, whose withdrawals stop, and counts its days on; applications are judged by what is known here;
 *    a failed minute is told once, however many report it.
 * 6: what instalments and late fees ask for is whole cents; that nothing is offered in place of what failed is told once for each minute; what arrives
 *    again after a call looks at so many resting orders only; for a bid that
 *    cannot wait no more is drawn than what it executes needs; a lender that declined is not asked again under other terms; a block that waits
 *    remembers the first hour that has too little; an amendment is refused in a new order's order of precedence.
 * 7: lenders take out interest that borrowers have paid, repaid capital and money that is in no commitment; who bought of a provider hears of its failed minutes;
 *    what a failure posts is booked under it although it extends a lot; who may not buy is not told that it buys little; for a bid that cannot wait and may not buy
 *    from everybody no more is drawn than what it executes needs; an amendment to more is held to what a day may buy and to the bond, as a new order is; a share of revenue costs no cent more
 *    than its cap, and of instalments that are paid in advance the last alone has fractions of one; one that is paid whole in advance asks for nothing on its day.
 * 8: the first offer of the running hour may be all that the minutes left allow, exactly; what cannot wait is not counted among the open orders;
 *    a stop whose amendment loses its place is triggered behind those of its stop price;
 *    a block buys from whom its plan says, also when it reaches a provider group's limit on its way, and sells to bids that may buy from its seller;
 *    a share of revenue is planned with the fractions of a cent that poor months leave.
 * 9: a mandate's money is what its lender has deposited, or comes in with it;
 *    no provider group gets more of a facility than its part, where the purchase that reached it was made whole, and bids that this frees trade with the same command;
 *    a stop of payouts stops every withdrawal; a covenant on use is tested by the thirty days that have ended; providers are paid for the unused hours
 *    of a loan that was given up; what is found undelivered afterwards is no delivered list value any more.
 * 10: the same events as 9; what a bid holds of one lot, and what a fill takes of that, stands with the order and the allocation instead of in lists, so that hashes of
 *    the state are others.
 */
export const RULES_VERSION = 10;
/** The oldest that this program still executes, so that a journal written under it gives the same again. */
export const OLDEST_RULES = 2;
