import { Cell } from './cell.ts';

export type Tone = 'neutral' | 'good' | 'bad' | 'pending';
/** One message; a message with the same key replaces it, so an order has one toast through its whole life. */
export interface Toast {
  key: string;
  tone: Tone;
  title: string;
  detail: string;
  /** What takes it back, as long as the message stands. */
  undo?: { label: string; run: () => void };
}

const SHOWN_MILLIS = 6_000;
const SHOWN_BAD_MILLIS = 12_000;
const SHOWN_UNDO_MILLIS = 20_000;
const TOASTS_MAX = 4;

export class Toasts {
  readonly list = new Cell<readonly Toast[]>([]);
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  show(toast: Toast): void {
    const others = this.list.value.filter((shown) => shown.key !== toast.key);
    const known = others.length !== this.list.value.length;
    this.list.value = known ? this.list.value.map((shown) => (shown.key === toast.key ? toast : shown)) : [...others, toast].slice(-TOASTS_MAX);
    clearTimeout(this.timers.get(toast.key));
    if (toast.tone === 'pending') return;
    const shownMillis = toast.undo !== undefined ? SHOWN_UNDO_MILLIS : toast.tone === 'bad' ? SHOWN_BAD_MILLIS : SHOWN_MILLIS;
    this.timers.set(toast.key, setTimeout(() => this.dismiss(toast.key), shownMillis));
  }

  dismiss(key: string): void {
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    this.list.value = this.list.value.filter((toast) => toast.key !== key);
  }
}
