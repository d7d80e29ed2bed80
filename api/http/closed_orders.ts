/** An order that is not in the market: the caller's own that is over, or one the caller knows nothing of. */
import { closedOrders } from '../../db/queries/orders.ts';
import type { Command } from '../../engine/commands.ts';
import { ApiError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Ack } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { projectionsMoving } from './history.ts';
import { submit } from './submit.ts';
import type { Caller } from './submit.ts';

/** Of some orders that the market does not know: why each cannot be changed. @throws ApiError unavailable */
export async function reasonsOf(services: Services, company: number, orders: readonly number[]): Promise<Map<number, ErrorCode>> {
  if (orders.length === 0) return new Map();
  await projectionsMoving(services, 'orders');
  const closed = await closedOrders(services.database, { company, orders });
  return new Map(orders.map((order) => [order, closed.has(order) ? 'order_closed' : 'unknown_order']));
}

/** Why an order that the market does not know cannot be changed. */
export async function absence(services: Services, company: number, order: number): Promise<ApiError> {
  return new ApiError((await reasonsOf(services, company, [order])).get(order) ?? 'unknown_order');
}

/** As `submit`, of one order, which may leave the market before the command comes to it. @throws ApiError */
export async function submitChange(caller: Caller, command: Command & { company: number; order: number }): Promise<Ack> {
  try {
    return await submit(caller, command);
  } catch (error) {
    throw error instanceof ApiError && error.code === 'unknown_order' ? await absence(caller.services, command.company, command.order) : error;
  }
}
