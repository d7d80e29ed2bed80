/** What every handler may use. Built once by the composition root (main.ts), replaced in tests. */
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type { ProjectionWaiter } from '../db/queries/positions.ts';
import type { Auth } from './auth/auth.ts';
import type { Committed } from './committed.ts';
import type { Config } from './config.ts';
import type { Directory } from './directory.ts';
import type { Vault } from './gateway/endpoints/vault.ts';
import type { SharedLimits } from './gateway/relay/limit_part.ts';
import type { Rooms } from './gateway/relay/room_shares.ts';
import type { Tallies } from './http/middleware/rate_limit.ts';
import type { MarketData } from './market/market_data.ts';
import type { SequencerPort } from './sequencer/port.ts';

/** Verifies providers' endpoints, keeps watch on them and sends requests there. */
export interface EndpointWatch {
  /** Why an endpoint may not be at this address; undefined when it may. */
  refusal(url: string): Promise<string | undefined>;
  /** A row of `endpoints` was written or has ended. */
  changed(id: string): void;
}

export interface Services {
  config: Config;
  log: Logger;
  sequencer: SequencerPort;
  /** The last sequence and engine time this process has seen committed. */
  committed: Committed;
  /** Keys and sessions. */
  auth: Auth;
  /** For rows that are not market state (users, keys, endpoints) and for projections. */
  database: Knex;
  /** Waits until projections include what has been committed. */
  projections: ProjectionWaiter;
  /** Names and numbers of companies, classes, regions, markets, models. */
  directory: Directory;
  /** Books, trades, candles, curve, indices: built from committed events. */
  market: MarketData;
  endpoints: EndpointWatch;
  /** Seals the credentials of endpoints, each for its endpoint's id. */
  vault: Vault;
  /** Counts shared with other processes; absent where there is none. */
  tallies?: Tallies;
  /** Limits of keys that all processes keep together; absent where there is one. */
  limits?: SharedLimits;
  /** How gateways share endpoints; absent where there is one. */
  rooms?: Rooms;
  /** Called when a manual clock has been moved; that is answered when all of them have done what the time asks of them. */
  clockFollowers: Set<() => Promise<void>>;
}
