/**
 * How several gateways share an endpoint that serves only so many requests at once: each may take what it wants as long as that
 * is no more than an equal part of what the others leave (max-min fairness), and nothing that others have taken.
 */

/** In the units of a lane's room. */
export interface Need {
  taken: number;
  /** What is taken, and what requests that wait would take. */
  wanted: number;
}
export const NO_NEED: Need = { taken: 0, wanted: 0 };

/** What gateways tell each other of their lanes. */
export interface Rooms {
  /** @param needs what this gateway takes and wants, by endpoint. @param heard called when that may have changed anybody's part */
  begin(needs: () => Map<string, Need>, heard: () => void): void;
  /** How many gateways there are, as far as this one has heard; while nothing can be heard, as there were last. */
  readonly gateways: number;
  /** This gateway's part of an endpoint's room. */
  share(endpoint: string, room: number): number;
}

/** @param own as the others know it: all of them reckon with the same needs. What nobody wants is shared in equal parts, for who comes next */
export function shareOf(room: number, own: Need, others: readonly Need[]): number {
  const wants = [own, ...others].map(({ wanted }) => wanted).sort((a, b) => a - b);
  let left = room;
  let equal = Infinity;
  for (const [served, wanted] of wants.entries()) {
    const part = left / (wants.length - served);
    if (wanted > part) {
      equal = part;
      break;
    }
    left -= wanted;
  }
  const part = equal === Infinity ? own.wanted + left / wants.length : Math.min(own.wanted, equal);
  return Math.min(part, room - others.reduce((sum, { taken }) => sum + taken, 0));
}
