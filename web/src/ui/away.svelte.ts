import { useExchange } from './context.ts';
import { live } from './live.svelte.ts';

/** Whether live data have stopped that were there: what is shown may be old. Call while a component is set up. */
export function away(): { readonly current: boolean } {
  const { marketFeed } = useExchange();
  const state = live(marketFeed.state);
  return {
    get current() {
      return (state.current === 'connecting' || state.current === 'stale') && marketFeed.heardAt > 0;
    },
  };
}
