/**
 * Collects the garbage of each thread when the file MEMORY_WHEN holds a new question, and tells in a file of the question's
 * name what the thread still holds. Loaded before the server into each of its threads.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { workerData } from 'node:worker_threads';

const LOOK_MILLIS = 50;
const { MEMORY_WHEN } = process.env;
let answered = '';

function answer(question) {
  answered = question;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  // What lies outside of the heap is given back by the collection after the one that drops it.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  appendFileSync(`${MEMORY_WHEN}_${question}`, `${heapUsed + external}\n`);
}

// A thread that comes and goes, for a snapshot for example, is none of those that are compared.
if (workerData?.kind === undefined) {
  setInterval(() => {
    const question = existsSync(MEMORY_WHEN) ? readFileSync(MEMORY_WHEN, 'utf8') : '';
    if (question !== '' && question !== answered) answer(question);
  }, LOOK_MILLIS).unref();
}
