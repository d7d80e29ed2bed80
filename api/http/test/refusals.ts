/** Causes for which an order is refused, and which of two an order with both is told. */
import { expect } from 'vitest';
import { REJECT_CODES } from '../../../engine/catalogue.ts';
import type { RejectCode } from '../../../engine/catalogue.ts';
import { API_ERRORS } from '../../errors.ts';
import type { ApiWorld } from './api_world.ts';

export interface Cause<Who extends string> {
  code: RejectCode;
  /** Whose order meets it. */
  who: readonly Who[];
  order: Record<string, unknown>;
}
export interface Refused<Who extends string> {
  who: Who;
  order: Record<string, unknown>;
  code: RejectCode;
}

const rank = (code: RejectCode): number => REJECT_CODES.indexOf(code);

/** Pairs of causes that one order can have: they say different things of it, or nothing different of the same. `always`: what refuses all orders of somebody. */
export function pairsOf<Who extends string>(causes: readonly Cause<Who>[], always: Partial<Record<Who, RejectCode>>): Refused<Who>[] {
  const together = (a: Cause<Who>, b: Cause<Who>): Who | undefined => {
    const contradict = Object.keys(a.order).some((field) => field in b.order && a.order[field] !== b.order[field]);
    const meets = (who: Who): boolean => b.who.includes(who) && (always[who] === undefined || always[who] === a.code || always[who] === b.code);
    return contradict ? undefined : a.who.find(meets);
  };
  return causes.flatMap((first) => causes.flatMap((second) => {
    const who = rank(first.code) < rank(second.code) ? together(first, second) : undefined;
    return who === undefined ? [] : [{ who, order: { ...second.order, ...first.order }, code: first.code }];
  }));
}

/** Sends the order: it is refused with the code and its message, and nothing is stored. */
export async function expectRefused(world: ApiWorld, key: string, order: Record<string, unknown>, code: RejectCode): Promise<void> {
  const openOrders = async (): Promise<unknown> => (await world.call('GET', '/api/v1/orders?status=open', { key })).body.data;
  const before = await openOrders();
  const answer = await world.call('POST', '/api/v1/orders', { key, body: order });
  expect([answer.status, answer.body], JSON.stringify(order)).toEqual([422, {
    error: { code, message: API_ERRORS[code].message, request_id: answer.headers.get('x-request-id') },
  }]);
  expect(await openOrders()).toEqual(before);
}
