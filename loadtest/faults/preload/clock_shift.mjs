/** Moves the wall clock of the process by what the file CLOCK_FILE says, in milliseconds. Loaded before the server into each of its threads. */
import { existsSync, readFileSync } from 'node:fs';

const LOOK_MILLIS = 20;
const now = Date.now.bind(Date);
let shift = 0;
const look = () => {
  const text = existsSync(process.env.CLOCK_FILE) ? readFileSync(process.env.CLOCK_FILE, 'utf8') : '';
  if (text !== '' && Number.isFinite(Number(text))) shift = Number(text);
};
look();
setInterval(look, LOOK_MILLIS).unref();
Date.now = () => now() + shift;
