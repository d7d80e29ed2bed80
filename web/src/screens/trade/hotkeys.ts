/** Keys of the trade screen. Single letters act only while nothing is typed into, and can be turned off. */
export interface Hotkey {
  /** As `KeyboardEvent.key` gives it. */
  key: string;
  shift?: boolean;
  /** As people read it. */
  shown: string;
  about: string;
}

export const HOTKEYS = {
  help: { key: '?', shown: '?', about: 'Show these keys' },
  find: { key: '/', shown: '/', about: 'Find a market' },
  buy: { key: 'b', shown: 'B', about: 'Buy' },
  sell: { key: 's', shown: 'S', about: 'Sell' },
  price: { key: 'p', shown: 'P', about: 'Go to the price' },
  quantity: { key: 'q', shown: 'Q', about: 'Go to the quantity' },
  earlier: { key: '[', shown: '[', about: 'The hour before' },
  later: { key: ']', shown: ']', about: 'The hour after' },
  chart: { key: 'c', shown: 'C', about: 'The next chart' },
  cancelAll: { key: 'Escape', shift: true, shown: 'Shift Esc', about: 'Cancel all orders' },
} as const satisfies Record<string, Hotkey>;
export type HotkeyName = keyof typeof HOTKEYS;

const TYPED_INTO = /^(INPUT|TEXTAREA|SELECT)$/;

/** What a key press asks for; undefined: nothing of ours. */
export function hotkeyOf(event: KeyboardEvent, lettersOn: boolean): HotkeyName | undefined {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.key === HOTKEYS.cancelAll.key) return event.shiftKey ? 'cancelAll' : undefined;
  const target = event.target;
  const typing = target instanceof HTMLElement && ((TYPED_INTO.test(target.tagName) && !(target instanceof HTMLInputElement && /^(radio|checkbox)$/.test(target.type))) || target.isContentEditable);
  if (!lettersOn || typing || document.querySelector('dialog[open]') !== null) return undefined;
  const names = Object.keys(HOTKEYS) as HotkeyName[];
  return names.find((name) => HOTKEYS[name].key === event.key.toLowerCase());
}
