/** Flow in the published formats of two sources, made up, through the converter and the replay. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createReadStream, createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replayBook } from './replay_book.ts';

const run = promisify(execFile);
const SCRIPT = new URL('../../examples/recorded_flow.mjs', import.meta.url).pathname;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flow-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What the comparison says, what the converter left out, and the trades. */
async function replayed(...source: string[]): Promise<{ verdict: string; leftOut: string; trades: string[] }> {
  const [operations, events] = [join(folder, 'ops.jsonl'), join(folder, 'events.jsonl')];
  const { stdout, stderr } = await run(process.execPath, [SCRIPT, ...source]);
  await writeFile(operations, stdout);
  await replayBook({ tick: '0.0001', step: '1', depth: 0 }, createReadStream(operations), createWriteStream(events));
  const lines = (await readFile(events, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Record<string, string>);
  const compared = await run(process.execPath, [SCRIPT, 'compare', operations, events]);
  return {
    verdict: compared.stdout.trim(), leftOut: stderr.trim(),
    trades: lines.filter(({ event }) => event === 'trade').map(({ maker, quantity, price }) => `${maker} ${quantity}@${price}`),
  };
}

describe('recorded order flow', () => {
  it('of LOBSTER executes as it was recorded', async () => {
    const file = join(folder, 'messages.csv');
    await writeFile(file, [
      '34200.01,1,11,100,5853300,1', '34200.02,1,12,50,5853300,1', '34200.03,2,11,40,5853300,1', '34200.04,4,11,60,5853300,1', '34200.05,5,0,7,5853400,1',
      '34200.06,1,13,30,5853900,-1', '34200.07,4,13,10,5853900,-1', '34200.08,4,12,20,5853300,1', '34200.09,3,12,30,5853300,1', '34200.10,4,9,5,5853300,1',
    ].join('\r\n'));
    expect(await replayed('lobster', file)).toEqual({
      verdict: '3 executions recorded, 0 differ', leftOut: '2 messages left out: of hidden orders, of earlier ones, or of no order',
      trades: ['11 60@585.33', '13 10@585.39', '12 20@585.33'],
    });
  });

  it('of ITCH executes as it was recorded, order numbers of 64 bits among it', async () => {
    const file = join(folder, 'itch');
    const message = (type: string, stock: number, ...fields: [number, number | bigint | string][]): Buffer => {
      const body = Buffer.concat([Buffer.from(type), Buffer.from([0, stock, 0, 0, 0, 0, 0, 0, 0, 0]), ...fields.map(([bytes, value]) => {
        if (typeof value === 'string') return Buffer.from(value.padEnd(bytes));
        const field = Buffer.alloc(bytes);
        if (bytes === 8) field.writeBigUInt64BE(BigInt(value));
        else field.writeUIntBE(Number(value), 0, bytes);
        return field;
      })]);
      return Buffer.concat([Buffer.from([0, body.length]), body]);
    };
    const large = 2n ** 63n + 1n;
    const add = (id: bigint, side: string, shares: number, price: number, stock = 1): Buffer => message('A', stock, [8, id], [1, side], [4, shares], [8, 'AAPL'], [4, price]);
    await writeFile(file, Buffer.concat([
      message('R', 1, [8, 'AAPL'], [20, '']), message('R', 2, [8, 'MSFT'], [20, '']), add(large, 'B', 300, 1_500_000), add(7n, 'S', 100, 1_500_100), add(8n, 'S', 9, 1_000_000, 2),
      message('E', 1, [8, large], [4, 100], [8, 1n]), message('U', 1, [8, 7n], [8, 17n], [4, 80], [4, 1_500_200]), message('X', 1, [8, large], [4, 50]),
      message('C', 1, [8, 17n], [4, 30], [8, 2n], [1, 'Y'], [4, 1_500_150]), message('E', 1, [8, large], [4, 150], [8, 3n]), message('D', 1, [8, 17n]), message('P', 1, [8, 0n], [1, 'B'], [4, 1], [8, 'AAPL'], [4, 1], [8, 4n]),
    ]));
    expect(await replayed('itch', file, 'AAPL')).toEqual({
      verdict: '3 executions recorded, 0 differ', leftOut: '1 messages left out: of hidden orders, of earlier ones, or of no order',
      trades: [`${large} 100@150`, '17 30@150.02', `${large} 150@150`],
    });
  });
});
