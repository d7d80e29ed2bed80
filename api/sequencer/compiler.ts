/**
 * How V8 compiles the program that runs the engine, for all threads of the process; imported for its effect, before anything of the engine has run.
 *
 * An order passes some fifty small functions over the same few arrays. V8's limits for compiling them
 * into one are made for web pages; beyond them every call loads anew where its arrays stand, checks what kind they are and puts
 * each amount into an object of its own.
 */
import { setFlagsFromString } from 'node:v8';

/** How much of a function, and of how small a one, becomes part of its caller; and how large that may become. */
interface Limits {
  size: number;
  small: number;
  cumulative: number;
  absolute: number;
}

function limit({ size, small, cumulative, absolute }: Limits): void {
  setFlagsFromString(`--max-inlined-bytecode-size=${size}`);
  setFlagsFromString(`--max-inlined-bytecode-size-small=${small}`);
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${cumulative}`);
  setFlagsFromString(`--max-inlined-bytecode-size-absolute=${absolute}`);
}

// In pieces that are compiled at once: where the engine shares its processors with those who call it, longer compiling would keep orders waiting.
limit({ size: 460, small: 60, cumulative: 2_500, absolute: 4_600 });

/**
 * For a process that does nothing but run the engine, and for long; to be called before anything of the engine has run. Where all of an order's path is one piece,
 * it takes a tenth less; until it is, some 250 ms of another processor go by at a time.
 */
export function compileWhole(): void {
  limit({ size: 2_000, small: 80, cumulative: 20_000, absolute: 60_000 });
  // Also what one order in ten comes by: V8 leaves a function a call when its caller comes by it less often than every seventh time.
  setFlagsFromString('--min-inlining-frequency=0.03');
}

// What lived through a rush, when thousands of commands waited at once, would be made among the old objects from then on. There it keeps alive, dead
// itself, all that it points to, until the next collection of everything: the short pauses of young collections become ten times as long.
setFlagsFromString('--no-allocation-site-pretenuring');
