/**
 * How V8 compiles the program that runs the engine, for all threads of the process; imported for its effect, before anything of the engine has run.
 *
 * An order passes some fifty small functions over the same few arrays. V8's limits for compiling them
 * into one are made for web pages; beyond them every call loads anew where its arrays stand, checks what kind they are and puts
 * each amount into an object of its own. Where all of an order's path is one piece, none of that is left.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--max-inlined-bytecode-size=2000');
setFlagsFromString('--max-inlined-bytecode-size-small=80');
setFlagsFromString('--max-inlined-bytecode-size-cumulative=20000');
setFlagsFromString('--max-inlined-bytecode-size-absolute=60000');

// What lived through a rush, when thousands of commands waited at once, would be made among the old objects from then on. There it keeps alive, dead
// itself, all that it points to, until the next collection of everything: the short pauses of young collections become ten times as long.
setFlagsFromString('--no-allocation-site-pretenuring');
