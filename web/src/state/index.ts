/** The one door between the screens and everything else. */
export * as format from './format.ts';
export type { ApiClient, Page } from './api_client.ts';
export type { BookView, Directory } from './market.ts';
export { modeOf } from './market.ts';
export { curlOf, streamChat, type ChatCost, type ChatUsage } from './chat.ts';
export { Cell, type Readable } from './cell.ts';
export { fromTicks, toMicro, toSteps, toTicks, parseScaled, formatScaled, fromMicro, fromSteps, AMOUNT_PLACES, MICRO } from './decimal.ts';
export { ApiError, explain, toApiError } from './errors.ts';
export { Exchange } from './exchange.ts';
export type { FeedState } from './feed.ts';
export { hourAt, instrumentId, LISTED_HOURS, makeInstrument, MILLIS_PER_HOUR, parseInstrument, phaseOf, type Instrument, type Phase } from './instrument.ts';
export { GROUPINGS, ladderOf, spreadOf, type LadderRow, type OwnLevel } from './ladder.ts';
export { dataOf, isStale, type Loadable } from './loadable.ts';
export { Resource } from './resource.ts';
export type { Registration, SessionState } from './session.ts';
export { defaultProtection, orderBody, summarise, type OrderType, type Role, type Side, type TicketFields, type TicketSummary, type TimeInForce, type TradingMode } from './ticket.ts';
export type { Toast } from './toasts.ts';
export type * from './wire.ts';
