/**
 * Client order ids are never accepted twice. The engine remembers those of its last 24 hours; older
 * ones are looked up in the orders projection before the command is sent.
 */
import { firstOrderAt, usedClientOrderIds } from '../../db/queries/client_order_ids.ts';
import { projectionPositions } from '../../db/queries/positions.ts';
import { PARAMETERS } from '../../engine/parameters.ts';
import { ApiError } from '../errors.ts';
import type { Services } from '../services.ts';
import { STILL_MILLIS } from './history.ts';

const POSITION_MILLIS = 1_000;
const COMPANIES_MAX = 100_000;

const NONE_USED: ReadonlySet<string> = new Set();

type Means = Pick<Services, 'database' | 'committed' | 'projections'>;
/** A leap of a manual clock is followed in a moment; a projection that is being built is not waited for. */
const CATCH_UP_MILLIS = 2_000;

export class ClientOrderIds {
  /** No order of the company is older than this: it never changes to something earlier. */
  private readonly firstOrders = new Map<number, number>();
  private position = { engineTime: 0, readAt: Number.NEGATIVE_INFINITY };

  /**
   * Those that were used before the time that the engine remembers.
   * @throws ApiError unavailable while the projection lags so far that neither side remembers
   */
  async usedOf(services: Means, company: number, clientOrderIds: readonly string[]): Promise<ReadonlySet<string>> {
    const given = clientOrderIds.filter((id) => id !== '');
    const { now } = services.committed;
    const until = now - PARAMETERS.clientOrderIdKept;
    if (given.length === 0 || (this.firstOrders.get(company) ?? Number.NEGATIVE_INFINITY) > until) return NONE_USED;
    if (!(await this.remembersFrom(services, until)) && !(await this.catchesUp(services, until))) throw new ApiError('unavailable', { retryAfterSeconds: 5 });
    if (await this.isYoung(services, company, until)) return NONE_USED;
    return new Set(await usedClientOrderIds(services.database, { company, clientOrderIds: given, until }));
  }

  private async isYoung({ database, committed }: Means, company: number, until: number): Promise<boolean> {
    if (this.firstOrders.size >= COMPANIES_MAX) this.firstOrders.clear();
    const { now } = committed;
    // Whatever the projection has not seen yet was accepted after what it has.
    const first = (await firstOrderAt(database, company)) ?? Math.min(now, this.position.engineTime);
    this.firstOrders.set(company, first);
    return first > until;
  }

  private async catchesUp(services: Means, until: number): Promise<boolean> {
    const { committed, projections } = services;
    return (await projections.waitFor(committed.sequence, CATCH_UP_MILLIS, ['orders'], STILL_MILLIS)) && this.remembersFrom(services, until);
  }

  /** Whether the projection includes every order up to `until`. What it once included it keeps, unless it is built again. */
  private async remembersFrom({ database }: Means, until: number): Promise<boolean> {
    const { engineTime, readAt } = this.position;
    if (engineTime >= until && performance.now() - readAt < POSITION_MILLIS) return true;
    const positions = await projectionPositions(database);
    this.position = { engineTime: positions.find(({ name }) => name === 'orders')?.engineTime ?? 0, readAt: performance.now() };
    return this.position.engineTime >= until;
  }
}
