/** How far from an hour's last trade, or from list price before one, orders may stand. */
import type { Ppm } from '../numbers/units.ts';
import { MICRO } from '../numbers/units.ts';
import { PARAMETERS } from '../parameters.ts';

/** In millionths of the reference. Replaced as a whole, so that who never set them is known by having these. */
export interface Bands {
  readonly above: Ppm;
  readonly below: Ppm;
}

export const USUAL_BANDS: Bands = { above: PARAMETERS.bandAbove, below: PARAMETERS.bandBelow };

/** Which of the two no market could trade by: the reference itself is within its band, and an ask is never bounded by nothing. */
export function wrongBand({ above, below }: Bands): keyof Bands | undefined {
  if (!(Number.isSafeInteger(above) && above >= MICRO)) return 'above';
  return Number.isSafeInteger(below) && below > 0 && below <= MICRO ? undefined : 'below';
}
