import { toMicro, type WireFacility } from '../../state/index.ts';

export const isFrozen = (facility: WireFacility): boolean => toMicro(facility.frozen_fraction) > 0n;

export function toneOfState(state: string): string {
  if (state === 'active') return 'good';
  if (state === 'offered' || state === 'watch' || state === 'cancel_only' || state === 'applied') return 'warn';
  return state === 'closed' ? '' : 'bad';
}
