/**
 * One socket.io namespace: subscriptions with gap detection and recovery, heartbeat, reconnection.
 * What a message means is the subscriber's business; that none is missing or doubled is this one's.
 */
import { Cell } from './cell.ts';
import { SequenceTracker, type Sequenced } from './sequence.ts';

export interface FeedMessage extends Sequenced {
  channel: string;
  instrument: string | null;
  /** RFC 3339, engine time. */
  ts: string;
  data: unknown;
}
/** off: not wanted. stale: connected, but the heartbeat is late. */
export type FeedState = 'off' | 'connecting' | 'live' | 'stale';

/** The part of a socket.io client that a feed needs. */
export interface FeedSocket {
  readonly connected: boolean;
  /** It is connected, or will try again by itself. */
  readonly active: boolean;
  on(event: string, listener: (...values: never[]) => void): unknown;
  emit(event: string, ...values: unknown[]): unknown;
  connect(): unknown;
  disconnect(): unknown;
}

/** How the server answers a request. */
export type Acknowledgement = { ok: true } | { ok: false; error: { code: string; message: string } };
/** Why the server ends a connection: `revoked`, `expired` and `refused` say that the login may be over. */
export interface Closing {
  code: string;
  message: string;
}

export interface Subscriber {
  onMessage(message: FeedMessage): void;
  /** The server does not know what was asked for; it will not be asked again. */
  onRefused?(code: string): void;
  /** False while a gap is being recovered or the connection is away: what is shown may be old. */
  onLive?(live: boolean): void;
}
interface Subscription {
  channel: string;
  instrument: string | undefined;
  /** What else the channel is told: the interval of candles. */
  extra: Record<string, string>;
  tracker: SequenceTracker;
  subscriber: Subscriber;
  recovery: ReturnType<typeof setTimeout> | undefined;
  refused: boolean;
}

const RECOVERY_MILLIS = 3_000;
const RECONNECT_MILLIS = 1_000;
const HEARTBEAT_LATE_MILLIS = 4_000;

export class Feed {
  readonly state = new Cell<FeedState>('off');
  /** Messages received since the start; for figures shown to people. */
  received = 0;
  /** When the last message or heartbeat came, by the local clock; 0 before the first. */
  heardAt = 0;
  private readonly socket: FeedSocket;
  private readonly subscriptions = new Set<Subscription>();
  private readonly onClosed: ((closing: Closing) => void) | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: FeedSocket, onClosed?: (closing: Closing) => void) {
    this.socket = socket;
    this.onClosed = onClosed;
    socket.on('connect', () => this.onConnect());
    socket.on('disconnect', () => this.onDisconnect());
    socket.on('closed', (closing: Closing) => this.onClosed?.(closing));
    socket.on('connect_error', (error: Error) => this.onConnectError(error));
    socket.on('heartbeat', () => this.alive());
    socket.on('message', (message: FeedMessage) => this.onMessage(message));
  }

  start(): void {
    if (this.state.value !== 'off') return;
    this.state.value = 'connecting';
    this.socket.connect();
  }

  stop(): void {
    clearTimeout(this.watchdog);
    this.socket.disconnect();
    this.state.value = 'off';
  }

  /** Returns the unsubscription. The first message is a snapshot. */
  subscribe(channel: string, instrument: string | undefined, subscriber: Subscriber, extra: Record<string, string> = {}): () => void {
    const subscription: Subscription = { channel, instrument, extra, tracker: new SequenceTracker(), subscriber, recovery: undefined, refused: false };
    this.subscriptions.add(subscription);
    if (this.socket.connected) this.request(subscription);
    return () => {
      this.subscriptions.delete(subscription);
      clearTimeout(subscription.recovery);
      if (this.socket.connected) this.socket.emit('unsubscribe', { channel, ...(instrument === undefined ? {} : { instrument }) });
    };
  }

  /** Drops what was received of a subscription and asks for a snapshot: its content turned out wrong. */
  restart(channel: string, instrument: string | undefined): void {
    for (const subscription of this.subscriptions) {
      if (subscription.channel === channel && subscription.instrument === instrument) this.request(subscription);
    }
  }

  private request(subscription: Subscription): void {
    subscription.tracker.forget();
    this.socket.emit('subscribe', address(subscription), (answer: Acknowledgement) => this.onAnswer(subscription, answer));
    this.await(subscription);
  }

  /** Until the subscription is whole again it is not live; when recovery does not come, it starts anew. */
  private await(subscription: Subscription): void {
    subscription.subscriber.onLive?.(false);
    clearTimeout(subscription.recovery);
    subscription.recovery = setTimeout(() => {
      if (this.socket.connected) this.request(subscription);
    }, RECOVERY_MILLIS);
  }

  private onAnswer(subscription: Subscription, answer: Acknowledgement): void {
    if (answer.ok) return;
    clearTimeout(subscription.recovery);
    subscription.refused = true;
    subscription.subscriber.onRefused?.(answer.error.code);
  }

  private onConnect(): void {
    this.alive();
    for (const subscription of this.subscriptions) if (!subscription.refused) this.request(subscription);
  }

  private onConnectError(error: Error): void {
    // Refused rather than unreachable: the login may be over.
    if (!this.socket.active) this.onClosed?.({ code: 'refused', message: error.message });
    this.onDisconnect();
  }

  private onDisconnect(): void {
    if (this.state.value === 'off') return;
    clearTimeout(this.watchdog);
    this.state.value = 'connecting';
    // The client comes back by itself except when the server has ended or refused the connection.
    if (!this.socket.active) setTimeout(() => this.state.value !== 'off' && this.socket.connect(), RECONNECT_MILLIS);
    for (const subscription of this.subscriptions) {
      clearTimeout(subscription.recovery);
      subscription.subscriber.onLive?.(false);
    }
  }

  private alive(): void {
    this.heardAt = Date.now();
    this.state.value = 'live';
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => (this.state.value = 'stale'), HEARTBEAT_LATE_MILLIS);
  }

  private onMessage(message: FeedMessage): void {
    this.received += 1;
    this.heardAt = Date.now();
    for (const subscription of this.subscriptions) {
      if (subscription.channel !== message.channel || (subscription.instrument ?? null) !== (message.instrument ?? null)) continue;
      this.deliver(subscription, message);
    }
  }

  private deliver(subscription: Subscription, message: FeedMessage): void {
    const { tracker, subscriber } = subscription;
    const verdict = tracker.judge(message);
    if (verdict === 'gap' && subscription.recovery === undefined) {
      this.socket.emit('resume', { ...address(subscription), since_seq: tracker.seq }, (answer: Acknowledgement) => this.onAnswer(subscription, answer));
      this.await(subscription);
    }
    if (verdict !== 'apply') return;
    subscriber.onMessage(message);
    if (subscription.recovery === undefined) return;
    clearTimeout(subscription.recovery);
    subscription.recovery = undefined;
    subscriber.onLive?.(true);
  }
}

const address = ({ channel, instrument, extra }: Subscription): Record<string, string> => (instrument === undefined ? { channel, ...extra } : { channel, instrument, ...extra });
