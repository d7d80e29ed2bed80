/** Facilities as their sides see them, asked for part by part: a lender may have thousands, and the market waits while it answers. */
import { NONE } from '../engine/vocabulary.ts';
import type { FacilityView } from '../engine/queries.ts';
import type { SequencerPort } from './sequencer/port.ts';

const PART = 50;

/** In the order of their offers; each part as of the last command before it. @param company NONE: everybody's */
export async function facilityViews(sequencer: Pick<SequencerPort, 'query'>, ask: { company: number; lender: boolean }): Promise<FacilityView[]> {
  const views: FacilityView[] = [];
  for (let from = 0; ; from = views[views.length - 1].facility + 1) {
    const part = await sequencer.query('facilities', { ...ask, from, most: PART });
    views.push(...part);
    if (part.length < PART) return views;
  }
}

export const EVERYBODY = NONE;
