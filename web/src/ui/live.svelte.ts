import { createSubscriber } from 'svelte/reactivity';
import type { Readable } from '../state/index.ts';

/**
 * A cell as a screen reads it: `live(cell).current` follows the cell while something on the screen
 * shows it. The value itself stays raw, so a book of thousands of levels is never proxied.
 */
export function live<T>(cell: Readable<T>): { readonly current: T } {
  const subscribe = createSubscriber((update) => cell.subscribe(update));
  return {
    get current() {
      subscribe();
      return cell.value;
    },
  };
}
