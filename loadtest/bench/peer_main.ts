/** `dist/bench_peer.js`: the peer of the engine benchmark, without what tells V8 how to compile the engine. */
import { serve } from './peer_book.ts';

serve();
