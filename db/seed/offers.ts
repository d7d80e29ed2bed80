/**
 * The real GPU offers, and the table that says which of them belong to which GPU class.
 *
 * A class is a chip, a form factor and a memory size; nothing is merged across form factor or memory.
 * Offers whose form factor is not known, or whose class fewer than three providers sell on demand,
 * are left out, each with its reason in `class_map.json`. Regions are the demo's assignment of one
 * region to each provider, not a statement about where it runs.
 */
import classMap from './class_map.json' with { type: 'json' };
import offersFile from './gpu_offers.json' with { type: 'json' };
import providersFile from './providers.json' with { type: 'json' };
import { parseUnits } from '../../engine/numbers/units.ts';
import type { Micro } from '../../engine/numbers/units.ts';

export const REGIONS = ['us-east', 'us-west', 'eu-west'] as const;
export type RegionName = (typeof REGIONS)[number];

export interface Provider {
  provider: string;
  name: string;
  region: RegionName;
}

/** An offer of a listed class. */
export interface Offer {
  id: string;
  provider: string;
  class: string;
  /** Micro-USD per GPU-hour. */
  usd: Micro;
  /** Interruptible; false is what DESIGN calls on-demand. */
  isSpot: boolean;
  collectedAt: string;
}

export interface ClassName {
  name: string;
  chip: string;
  formFactor: string;
  memoryGb: number;
}

interface ClassMapRow {
  gpu_model: string;
  vram_gb: number;
  interconnect: string | null;
  class: string | null;
  left_out?: string;
}

const rowKey = (model: string, memoryGb: number, interconnect: string | null): string => `${model}|${memoryGb}|${interconnect ?? ''}`;
const rows = new Map((classMap as ClassMapRow[]).map((row) => [rowKey(row.gpu_model, row.vram_gb, row.interconnect), row]));

export const PROVIDERS: readonly Provider[] = providersFile as Provider[];

/** Every offer of a listed class, in the file's order. */
export const OFFERS: readonly Offer[] = offersFile.flatMap((offer) => {
  const name = rows.get(rowKey(offer.gpu_model, offer.vram_gb, offer.interconnect))?.class;
  if (name === undefined || name === null) return [];
  const usd = usdOf(offer.price_usd_hour);
  return [{ id: offer.id, provider: offer.provider_id, class: name, usd, isSpot: offer.is_spot, collectedAt: offer.collected_at }];
});

/** `H100-SXM-80` -> chip H100, form factor SXM, 80 GB. @throws Error for any other shape */
export function parseClassName(name: string): ClassName {
  const match = /^([A-Z0-9]+)-([A-Za-z0-9]+)-([1-9][0-9]*)$/.exec(name);
  if (match === null) throw new Error(`not a class name: ${name}`);
  return { name, chip: match[1], formFactor: match[2], memoryGb: Number(match[3]) };
}

/** The listed classes, by name. */
export const CLASSES: readonly ClassName[] = [...new Set(OFFERS.map((offer) => offer.class))].sort().map(parseClassName);

/** How many offers were left out, and why: reason (without the class it names) to count. */
export function leftOut(): { count: number; reasons: Map<string, number> } {
  const reasons = new Map<string, number>();
  for (const offer of offersFile) {
    const row = rows.get(rowKey(offer.gpu_model, offer.vram_gb, offer.interconnect));
    if (typeof row?.class === 'string') continue;
    const reason = row?.left_out?.replace(/ \([^)]*-[^)]*\)$/, '') ?? 'not in the table';
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return { count: offersFile.length - OFFERS.length, reasons };
}

/** The published price as it is written, in micro-USD. The shortest decimal of the JSON number is the text of the source. */
function usdOf(price: number): Micro {
  const usd = parseUnits(String(price), 6);
  if (usd <= 0) throw new Error(`not a price in micro-USD: ${price}`);
  return usd;
}
