import { getContext } from 'svelte';
import type { Exchange } from '../state/index.ts';

const KEY = Symbol('exchange');

/** For `mount`: what every component finds with `useExchange`. */
export const contextOf = (exchange: Exchange): Map<symbol, Exchange> => new Map([[KEY, exchange]]);
export const useExchange = (): Exchange => getContext<Exchange>(KEY);
