/** Blocks over a week of hour books a hundred orders deep, each timed alone: what one waits for its answer. */
import { compileWhole } from '../../api/sequencer/compiler.ts';
import { type PlaceBlock } from '../../engine/commands.ts';
import { BUY, FOK, NONE, SELL } from '../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { percentile, type BenchOptions, type BenchResult } from './benchmark.ts';
import { START, applyAll, inEnvelope, openMarket, order, verifyInvariants, type BenchMarket } from './engine_market.ts';
import { BUYERS, PROVIDERS } from './order_flow.ts';
import { Random } from './random.ts';

const FIRST_HOUR = START / MILLIS_PER_HOUR + 24;
const BLOCK_HOURS = 168;
const BOOK_DEPTH = 100;
const BLOCKS = 2_000;
/**
 * In other markets, before the first that counts: one that has traded has compiled how. What V8 has learnt of the lists of the
 * first market, which began empty, it learns again of the second; no server sees a second.
 */
const UNTIMED = 2_000;
const REHEARSALS = 3;
/** Of each ask; blocks take a hundred steps. */
const ASK_STEPS = 10_000;

export function run(options: BenchOptions): Promise<BenchResult> {
  compileWhole();
  const { p50, p99, max } = blockLatency(options.number('blocks', BLOCKS));
  return Promise.resolve({ block_p50_us: p50, block_p99_us: p99, block_max_us: max });
}

/** A market whose books of a week are quoted. */
function quotedMarket(): BenchMarket {
  const bench = openMarket();
  const hours = Array.from({ length: BLOCK_HOURS }, (_, hour) => FIRST_HOUR + hour);
  const asks = hours.flatMap((hour) => Array.from({ length: BOOK_DEPTH }, (_, rank) => order(bench.providers[rank % PROVIDERS], bench.market, hour, SELL, 20_000 + rank, ASK_STEPS)));
  applyAll(bench.engine, asks.map(inEnvelope));
  return bench;
}

/** Microseconds that one takes. */
function timedBlock({ engine, market, buyers }: BenchMarket, random: Random): number {
  const block: PlaceBlock = {
    type: 'placeBlock', company: buyers[random.below(BUYERS)], market, fromHour: FIRST_HOUR, toHour: FIRST_HOUR + BLOCK_HOURS, side: BUY, price: 21_000, quantity: 100,
    timeInForce: FOK, minimumAcceptanceRatio: 1_000_000, model: NONE, clientOrderId: '',
  };
  const envelope = inEnvelope(block);
  const started = performance.now();
  engine.apply(envelope);
  const taken = (performance.now() - started) * 1_000;
  engine.buffer.clear();
  return taken;
}

/** Fill-or-kill blocks that execute. Microseconds. */
export function blockLatency(blocks = BLOCKS): { p50: number; p99: number; max: number } {
  const random = new Random(1);
  const bench = quotedMarket();
  const rehearsals = Array.from({ length: REHEARSALS }, quotedMarket);
  for (const rehearsal of rehearsals) for (let untimed = 0; untimed < Math.min(UNTIMED, blocks); untimed++) timedBlock(rehearsal, random);
  const micros = Float64Array.from({ length: blocks }, () => timedBlock(bench, random));
  for (const { engine } of [...rehearsals, bench]) verifyInvariants(engine);
  micros.sort();
  return { p50: percentile(micros, 0.5), p99: percentile(micros, 0.99), max: micros[micros.length - 1] };
}
