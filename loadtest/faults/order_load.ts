/**
 * Clients that place orders over HTTP and remember every answer. What has no answer is sent again
 * under the same key until it has one, as a careful client does.
 */
import { pause } from './server_process.ts';

const CLIENTS = 6;
const RETRY_MILLIS = 40;
const ANSWER_MILLIS_MAX = 20_000;
/** A client keeps so many orders in the market before it cancels them all. */
const RESTING_MAX = 20;

export interface Acknowledged {
  key: string;
  /** The order's id, as it was told. */
  order: string;
  /** The whole answer, as it was sent. */
  body: string;
  status: number;
  at: number;
}

export interface Refusal {
  at: number;
  /** From request to answer. */
  millis: number;
  retryAfter: string | null;
}

export class OrderLoad {
  readonly acknowledged: Acknowledged[] = [];
  readonly refusals: Refusal[] = [];
  /** Answers that no careful client expects. */
  readonly surprises: string[] = [];
  /** Requests that got no answer at all: reset, refused, timed out. */
  unanswered = 0;
  private readonly url: () => string;
  private readonly apiKey: string;
  private readonly name: string;
  private readonly clients: Promise<void>[];
  private stopped = false;
  private abandoned = false;
  private instrument = '';

  constructor(url: () => string, apiKey: string, name: string) {
    this.url = url;
    this.apiKey = apiKey;
    this.name = name;
    this.clients = Array.from({ length: CLIENTS }, (_, client) => this.client(client));
  }

  /** Every order that was begun is answered when it resolves. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.clients);
  }

  /** Also of a market that answers no more: what was begun is given up. */
  async abandon(): Promise<void> {
    this.abandoned = true;
    await this.stop();
  }

  /** Sends an order under a key until it is served. */
  async repeat(body: object, key: string): Promise<{ status: number; text: string }> {
    for (;;) {
      const answer = await this.send('POST', pathOf(key), { body, key });
      if (answer.status !== 503) return answer;
      await pause(RETRY_MILLIS);
    }
  }

  /** The body that a key stands for. */
  bodyOf(key: string): object {
    const order = this.orderOf(key);
    if (!isBatch(key)) return order;
    // One that is executed among others that are refused, by the engine and before it.
    const refused = [{ ...order, client_order_id: '', price: '0.00001' }, { ...order, client_order_id: key }];
    return { operations: [{ op: 'place', ...order }, ...refused.map((other) => ({ op: 'place', ...other })), { op: 'cancel', id: 'ord_999999999' }, { op: 'none' }] };
  }
  /** Another body under the same key. */
  otherBodyOf(key: string): object {
    return isBatch(key) ? { operations: [{ op: 'place', ...this.orderOf(key) }] } : { ...this.bodyOf(key), quantity: '0.02' };
  }

  private orderOf(key: string): object {
    const count = countIn(key);
    // Some rest, some take, some are given up at once.
    const price = ['1.9000', '3.3900', '0.9000'][count % 3];
    return { instrument: this.instrument, side: 'buy', type: 'limit', price, quantity: '0.01', time_in_force: count % 3 === 1 ? 'ioc' : 'gtc', client_order_id: key };
  }

  private async client(client: number): Promise<void> {
    while (this.instrument === '' && !this.stopped) await this.chooseInstrument();
    for (let count = 0; !this.stopped; count++) {
      await this.place(`${this.name}-${client}-${count}`);
      if (count % RESTING_MAX === RESTING_MAX - 1) await this.cancelAll();
    }
  }

  private async chooseInstrument(): Promise<void> {
    const answer = await fetch(`${this.url()}/api/v1/instruments?class=H100-SXM-80&region=us-east`).then((response) => response.json(), () => undefined) as { data?: { id: string }[] } | undefined;
    const chosen = answer?.data?.[5];
    if (chosen === undefined) return pause(RETRY_MILLIS);
    this.instrument = chosen.id;
  }

  private async place(key: string): Promise<void> {
    while (!this.abandoned) {
      const begun = performance.now();
      const answer = await this.send('POST', pathOf(key), { body: this.bodyOf(key), key }).catch(() => undefined);
      const at = performance.now();
      if (answer === undefined) this.unanswered++;
      else if (answer.status === 503) this.refusals.push({ at, millis: at - begun, retryAfter: answer.retryAfter });
      else {
        const order = orderIn(answer);
        if (order !== undefined) this.acknowledged.push({ key, order, body: answer.text, status: answer.status, at });
        else if (answer.status !== 200 && answer.status !== 422 && answer.status !== 429) this.surprises.push(`${answer.status} ${answer.text.slice(0, 200)}`);
        if (answer.status !== 429) return;
      }
      await pause(RETRY_MILLIS);
    }
  }

  private async cancelAll(): Promise<void> {
    await this.send('DELETE', '/api/v1/orders', {}).catch(() => undefined);
  }

  private async send(method: string, path: string, { body, key }: { body?: object; key?: string }): Promise<{ status: number; text: string; retryAfter: string | null }> {
    const response = await fetch(this.url() + path, {
      method, signal: AbortSignal.timeout(ANSWER_MILLIS_MAX),
      headers: { authorization: `Bearer ${this.apiKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text(), retryAfter: response.headers.get('retry-after') };
  }
}

/** Every so many keys stand for a batch. */
const BATCH_EVERY = 10;
const countIn = (key: string): number => Number(key.split('-').at(-1));
const isBatch = (key: string): boolean => countIn(key) % BATCH_EVERY === BATCH_EVERY - 1;
const pathOf = (key: string): string => (isBatch(key) ? '/api/v1/orders/batch' : '/api/v1/orders');

/** Of the order that was accepted, alone or first in its batch. */
function orderIn({ status, text }: { status: number; text: string }): string | undefined {
  if (status === 201) return (JSON.parse(text) as { order: { id: string } }).order.id;
  return status === 200 ? (JSON.parse(text) as { results: { order?: { id: string } }[] }).results[0].order?.id : undefined;
}
