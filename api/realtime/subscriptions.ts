/** The requests of one socket: subscribe, unsubscribe, resume. The same in every namespace. */
import type { Socket } from 'socket.io';
import type { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { resumeSchema, subscribeSchema, unsubscribeSchema } from './messages.ts';
import type { Acknowledgement, SubscribeRequest } from './messages.ts';
import type { RoomPlan, RoomTable } from './room_table.ts';

const SUBSCRIPTIONS_MAX = 200;

export interface SubscriptionMeans {
  rooms: RoomTable;
  /** What a request asks for. @throws ApiError when it may not or cannot be had */
  plan(request: SubscribeRequest): RoomPlan;
  onError(error: unknown): void;
}

const addressOf = (request: { channel: string; instrument?: string | null }): string => `${request.channel} ${request.instrument ?? ''}`;

export function serveSubscriptions(socket: Socket, connection: Connection, means: SubscriptionMeans): void {
  const on = <S extends z.ZodType<SubscribeRequest>>(event: string, schema: S, act: (request: z.output<S>) => void): void => {
    socket.on(event, (payload: unknown, acknowledge: unknown) => {
      const answer = attempt(schema, payload, act, means.onError);
      if (typeof acknowledge === 'function') acknowledge(answer);
      if (!connection.mayRequest(Date.now())) connection.close('too_many_requests');
      else if (connection.hopeless) connection.close('slow_consumer');
    });
  };
  on('subscribe', subscribeSchema, (request) => enter(connection, means, request));
  on('resume', resumeSchema, (request) => enter(connection, means, request));
  on('unsubscribe', unsubscribeSchema, (request) => leave(connection, addressOf(request)));
  socket.on('disconnect', () => {
    for (const address of [...connection.rooms.keys()]) leave(connection, address);
  });
}

function attempt<S extends z.ZodType<SubscribeRequest>>(
  schema: S, payload: unknown, act: (request: z.output<S>) => void, onError: (error: unknown) => void,
): Acknowledgement {
  const parsed = schema.safeParse(payload);
  try {
    if (!parsed.success) throw malformed(parsed.error);
    act(parsed.data);
    return { ok: true, channel: parsed.data.channel, instrument: parsed.data.instrument ?? null };
  } catch (error) {
    if (!(error instanceof ApiError)) onError(error);
    const { code, message, field } = error instanceof ApiError ? error : new ApiError('internal_error');
    return { ok: false, error: { code, message, ...(field === undefined ? {} : { field }) } };
  }
}

function malformed(error: z.ZodError): ApiError {
  const issue = error.issues[0];
  const field = issue.path.map(String).join('.');
  return new ApiError('invalid_request', { ...(field === '' ? {} : { field }), values: { detail: field === '' ? issue.message : `${field}: ${issue.message}` } });
}

/** A subscription that exists already begins anew. */
function enter(connection: Connection, { rooms, plan }: SubscriptionMeans, request: SubscribeRequest): void {
  const address = addressOf(request);
  const room = rooms.open(plan(request));
  const before = connection.rooms.get(address);
  if (before === undefined && connection.rooms.size >= SUBSCRIPTIONS_MAX) throw new ApiError('limit_exceeded', { field: 'channel' });
  if (before !== undefined && before !== room) before.leave(connection);
  connection.rooms.set(address, room);
  if (request.since_seq === undefined) room.join(connection);
  else room.resume(connection, request.since_seq);
}

function leave(connection: Connection, address: string): void {
  connection.rooms.get(address)?.leave(connection);
  connection.rooms.delete(address);
}
