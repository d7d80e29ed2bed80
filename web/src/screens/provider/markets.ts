/** The markets that a provider has declared capacity in: their names, and how they are chosen from. */
import type { WireCapacity } from '../../state/index.ts';

export const marketName = (entry: Pick<WireCapacity, 'class' | 'region'>): string => `${entry.class}.${entry.region}`;

export const optionsOf = (markets: readonly WireCapacity[]): { value: string; label: string }[] => markets.map((entry) => ({ value: marketName(entry), label: `${entry.class} · ${entry.region}` }));
