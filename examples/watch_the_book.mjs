/** Market data: follows one book for ten seconds and checks that no message is missing. `node examples/watch_the_book.mjs` */
import { io } from 'socket.io-client';
import { demo, instrument } from './demo.mjs';

const name = process.argv[2] ?? instrument('H100-SXM-80', 'us-east', 1);
const market = io(`${demo.url}/market`, { transports: ['websocket'] });
const book = { bids: new Map(), asks: new Map() };
let last;

market.on('message', ({ seq, prev_seq, type, data }) => {
  if (type === 'snapshot') for (const side of [book.bids, book.asks]) side.clear();
  else if (prev_seq !== last) console.log(`a message is missing between ${last} and ${seq}`);
  last = seq;
  for (const side of ['bids', 'asks']) {
    for (const [price, quantity] of data[side]) {
      if (quantity === '0') book[side].delete(price);
      else book[side].set(price, quantity);
    }
  }
  const best = (side, sign) => [...side].sort(([a], [b]) => sign * (Number(a) - Number(b)))[0]?.join(' x ') ?? 'none';
  console.log(`${name} ${type} ${seq}: bid ${best(book.bids, -1)}, ask ${best(book.asks, 1)}`);
});
market.emit('subscribe', { channel: 'book', instrument: name }, (answer) => console.log('subscribed', JSON.stringify(answer)));
setTimeout(() => market.close(), 10_000);
