/** What a provider offers of the running hour where all its endpoints drain could only fail: it is refused as capacity that is not there. */
import { SELL } from '../../engine/vocabulary.ts';
import type { PlaceOrder } from '../../engine/commands.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import type { Services } from '../services.ts';

export async function isDrained({ committed, database, directory }: Pick<Services, 'committed' | 'database' | 'directory'>, { company, market, hour, side, resaleOf }: PlaceOrder): Promise<boolean> {
  if (side !== SELL || resaleOf !== 0 || hour !== Math.floor(committed.now / MILLIS_PER_HOUR)) return false;
  const capacity = directory.capacities(company).find((entry) => entry.market === market);
  // Who serves anything there need not be looked up.
  if (capacity === undefined || capacity.models.length > 0) return false;
  return (await database('endpoints').where({ company, market, status: 'draining' }).first('id')) !== undefined;
}
