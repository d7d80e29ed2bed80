/** Commands sent twice, out of order, and long after. */
import type { Fault } from './fault.ts';

const COPIES = 5;

const duplicates: Fault = {
  name: 'commands doubled, reordered and late',
  times: { short: 40, long: 1_000 },
  async run(world, times) {
    const findings: string[] = [];
    await world.progress(5);
    const { load } = world;
    const late: { key: string; text: string }[] = [];
    for (let count = 0; count < times; count += 20) {
      const keys = Array.from({ length: Math.min(20, times - count) }, (_, index) => `twice-${process.pid}-${performance.now()}-${(count + index) * 3}`);
      const sends = keys.flatMap((key) => Array.from({ length: COPIES }, () => key)).sort(() => Math.random() - 0.5);
      const answers = await Promise.all(sends.map(async (key) => ({ key, ...(await load.repeat(load.bodyOf(key), key)) })));
      for (const key of keys) {
        const own = answers.filter((answer) => answer.key === key);
        if (new Set(own.map(({ text }) => text)).size > 1) findings.push(`${key} has different answers: ${own.map(({ status }) => status).join(', ')}`);
        late.push({ key, text: own[0].text });
      }
    }
    for (const { key, text } of late.slice(0, 20)) {
      const again = await load.repeat(load.bodyOf(key), key);
      if (again.text !== text) findings.push(`${key} answers later with ${again.status}`);
    }
    findings.push(...(await world.verdict()));
    return { times, findings: findings.slice(0, 5), note: `${COPIES} copies of each at once` };
  },
};

export const duplicateFaults: Fault[] = [duplicates];
