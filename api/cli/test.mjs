/**
 * `npm test [step...]`: types, lint, unit, property, build, integration, browser. One line per step,
 * what fails in full, what was skipped with the reason; with CI=true nothing may be skipped. What watches
 * no clock runs beside the others, with what these leave of the machine: they wait more than they compute.
 * So do the browser's tests, once what they load is built.
 */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { findChromium, findRedisServer, root } from './tools.mjs';

const CI = process.env.CI === 'true' || process.env.CI === '1';
const PROGRESS_SECONDS = 10;
const totals = { passed: 0, failed: 0, skipped: 0 };
const reasons = new Map();

const bin = (name) => join(root, 'node_modules', '.bin', name);
const { PRIORITY_NORMAL, PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = constants.priority;
const program = (title, command, ...commandArguments) => ({ title, run: (progress, priority) => runProgram(command, commandArguments, priority) });
const tests = (title, lacks = () => '') => ({ title, lacks, run: (progress, priority) => runTests(title, progress, priority) });
/** It comes to the same however long it takes: what is left of the machine is enough, and what keeps to the clock beside it is not to notice. */
const patient = (step) => ({ ...step, priority: PRIORITY_LOW });
/** It waits for what a page comes to show: what only computes gives way to it, and it gives way to what keeps to the clock. */
const shown = (step) => ({ ...step, priority: PRIORITY_BELOW_NORMAL });
/** Of the patient steps as many at once: each needs up to 1.5 GB. */
const PATIENT_AT_ONCE = 2;

/** The lint asks for the types of everything: one pass for both. */
const typesAndLint = patient(program('types and lint', process.execPath, 'api/cli/lint.mjs'));

const STEPS = {
  types: [typesAndLint, patient(program('types of the web app', bin('svelte-check'), '--tsconfig', 'web/tsconfig.json', '--output', 'human'))],
  lint: [typesAndLint],
  unit: [tests('unit')],
  property: [patient(tests('property'))],
  build: [program('build', process.execPath, 'api/cli/build.mjs')],
  integration: [tests('integration')],
  browser: [shown(tests('browser', () => (findChromium() === '' ? 'no Chromium (set CHROMIUM_PATH or install chromium)' : '')))],
};

async function main() {
  const wanted = process.argv.slice(2);
  if (wanted.includes('--help')) {
    console.log(`usage: npm test -- [STEP...]; steps: ${Object.keys(STEPS).join(', ')}`);
    return 0;
  }
  const unknown = wanted.filter((name) => !(name in STEPS));
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(', ')}. Known: ${Object.keys(STEPS).join(', ')}`);
    return 2;
  }
  const names = wanted.length > 0 ? wanted : Object.keys(STEPS);
  if (findRedisServer() === '') console.log('note: no redis-server; tests of several processes will be skipped');
  const steps = [...new Set(names.flatMap((name) => STEPS[name]))];
  const of = (priority) => steps.filter((step) => (step.priority ?? PRIORITY_NORMAL) === priority);
  const waiting = of(PRIORITY_LOW);
  const beside = Array.from({ length: PATIENT_AT_ONCE }, () => runSteps(waiting));
  const prompt = of(PRIORITY_NORMAL);
  const untilBuilt = prompt.splice(0, prompt.findIndex(({ title }) => title === 'build') + 1);
  await runSteps(untilBuilt);
  await Promise.all([...beside, runSteps(prompt), runSteps(of(PRIORITY_BELOW_NORMAL))]);
  for (const [why, count] of reasons) console.log(`skipped ${count}: ${why}`);
  if (CI && totals.skipped > 0) {
    console.log(`CI=true allows no skipped tests: ${totals.skipped} counted as failed`);
    totals.failed += totals.skipped;
  }
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  return totals.failed > 0 ? 1 : 0;
}

/** One after the other, as long as there are any. */
async function runSteps(waiting) {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) await runStep(step);
}

async function runStep({ title, lacks = () => '', priority = PRIORITY_NORMAL, run }) {
  const lacking = lacks();
  if (lacking !== '') {
    skip(1, `${title}: ${lacking}`);
    console.log(`${title.padEnd(22)} skipped`);
    return;
  }
  const started = performance.now();
  const progress = { text: '' };
  const timer = setInterval(() => console.log(`${title.padEnd(22)} ... ${seconds(started)}${progress.text}`), PROGRESS_SECONDS * 1000);
  const result = await run(progress, priority);
  clearInterval(timer);
  totals.passed += result.passed;
  totals.failed += result.failed;
  if (result.failed > 0) console.log(result.output.trimEnd());
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
  console.log(`${title.padEnd(22)} ${result.passed} passed, ${result.failed} failed${skipped}, ${seconds(started)}`);
}

const seconds = (started) => `${((performance.now() - started) / 1000).toFixed(1)} s`;

function skip(count, why) {
  totals.skipped += count;
  reasons.set(why, (reasons.get(why) ?? 0) + count);
}

/** A program is one check: it passes when it exits with 0. */
async function runProgram(command, commandArguments, priority) {
  const { code, output } = await capture(command, commandArguments, { priority, onMessage: () => {} });
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, output };
}

async function runTests(project, progress, priority) {
  const counts = { passed: 0, failed: 0, skipped: 0, files: 0, unhandled: 0 };
  const onMessage = (message) => {
    if (message.type === 'end') counts.unhandled = message.unhandled;
    if (message.type !== 'file') return;
    counts.files += 1;
    for (const state of ['passed', 'failed', 'skipped']) counts[state] += message[state];
    progress.text = `, ${counts.files} files, ${counts.passed} tests passed`;
    for (const { test, why } of message.skips) skip(1, why === '' ? `${test} (no reason given)` : why);
  };
  const args = ['run', '--project', project, '--passWithNoTests', '--reporter=default', `--reporter=${join(root, 'api/cli/test_reporter.mjs')}`];
  const { code, output } = await capture(bin('vitest'), args, { priority, onMessage });
  const failed = counts.failed + counts.unhandled;
  return { ...counts, failed: code !== 0 && failed === 0 ? 1 : failed, output: failuresOf(output) };
}

/** The part of a run's output that tells what failed; all of it when there is no such part. */
function failuresOf(output) {
  const at = output.search(/^⎯+ (Failed|Unhandled)/m);
  return at < 0 ? output : output.slice(at);
}

/** Runs a program without a terminal; its output is kept for the case that it fails. */
function capture(command, commandArguments, { priority, onMessage }) {
  const child = spawn(command, commandArguments, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  if (priority !== PRIORITY_NORMAL && child.pid !== undefined) setPriority(child.pid, priority);
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
  let pending = '';
  child.stdio[3].setEncoding('utf8').on('data', (text) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) onMessage(JSON.parse(line));
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

process.exitCode = await main();
