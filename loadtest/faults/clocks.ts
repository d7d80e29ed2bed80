/** The wall clock of the engine's machine jumps. */
import { writeFileSync } from 'node:fs';
import type { Fault } from './fault.ts';
import { pause } from './server_process.ts';

const HOUR = 3_600_000;
const SEEN_MILLIS = 1_500;

const jumps = (name: string, times: Fault['times'], shiftOf: () => number): Fault => ({
  name,
  times,
  async run(world, count) {
    for (let time = 0; time < count; time++) {
      await world.progress(5);
      writeFileSync(world.clockFile, String(shiftOf()));
      await pause(SEEN_MILLIS);
      await world.progress(5);
      writeFileSync(world.clockFile, '0');
      await pause(SEEN_MILLIS);
      await world.progress(5);
    }
    const findings = await world.verdict();
    const [{ back }] = await world.query<{ back: number }>(
      'select count(*)::int as back from (select engine_time < lag(engine_time) over (order by first_sequence) as earlier from journal) as times where earlier',
    );
    if (back > 0) findings.push(`engine time went back ${back} times`);
    return { times: count, findings };
  },
});

export const clockFaults: Fault[] = [
  jumps('clock back to 1970', { short: 1, long: 10 }, () => -Date.now()),
  jumps('clock back by an hour', { short: 1, long: 10 }, () => -HOUR),
  jumps('clock ahead by an hour', { short: 1, long: 3 }, () => HOUR),
];
