/**
 * `node web/test/walk_by_keys.mjs --data FOLDER [--only order,key]`: the main jobs by keys alone, in a real Chromium on a server in
 * demo mode that runs already. Every stop of every screen must show that it has the focus and must have a name, and nothing that
 * is done may leave the focus nowhere. It trades, borrows, halts and freezes: not for a market that somebody uses.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values } = parseArgs({ options: { data: { type: 'string', default: '.data' }, only: { type: 'string', default: '' } } });
const demo = JSON.parse(readFileSync(join(values.data, 'demo.json'), 'utf8'));

const SETTLE_MILLIS = 2_500;
const STOPS_MAX = 160;
/** What is done takes its time; a focus that is lost is found again within a tenth of a second. */
const DONE_MILLIS = 1_500;
const SCREENS = [['borrower', '/trade'], ['borrower', '/credit'], ['borrower', '/developers'], ['provider', '/provider'], ['lender', '/credit'], ['operator', '/operator'], [undefined, '/login'], [undefined, '/register']];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const say = (text) => process.stdout.write(`${text}\n`);
let failures = 0;
const fail = (text) => {
  failures++;
  say(`  FAILED: ${text}`);
};

async function enter(who, path) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] })).newPage();
  if (who !== undefined) await page.request.post(`${demo.url}/api/v1/auth/login`, { data: { email: demo[who].email, password: demo[who].password } });
  await page.goto(demo.url + path);
  await page.waitForTimeout(SETTLE_MILLIS);
  return page;
}

/** Where the keyboard is: undefined when nowhere. */
const stopOf = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return undefined;
    const rings = (candidate) => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(candidate);
      return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || (candidate.classList.contains('control') && boxShadow !== 'none');
    };
    const near = [element, element.parentElement, element.parentElement?.parentElement].filter((candidate) => candidate != null);
    const { top, bottom } = element.getBoundingClientRect();
    const labelled = element.getAttribute('aria-label') ?? [...(element.labels ?? [])].map((label) => label.innerText).join(' ');
    const name = (labelled === '' || labelled === undefined ? element.textContent : labelled).replace(/\s+/g, ' ').trim();
    // The button within a date's field is drawn, and ringed, by the browser.
    return { name, kind: element.type ?? element.tagName, visible: near.some(rings) || element.type === 'date', seen: bottom > 0 && top < innerHeight };
  });

function look(stop, when) {
  if (stop === undefined) return fail(`the focus is lost ${when}`);
  if (!stop.visible) fail(`nothing shows the focus on "${stop.name}" ${when}`);
  if (!stop.seen) fail(`"${stop.name}" is out of sight ${when}`);
  if (stop.name === '') fail(`a ${stop.kind} without a name ${when}`);
}

/** Goes on by Tab to what is called so. */
async function go(page, name, key = 'Tab') {
  for (let stops = 0; stops < STOPS_MAX; stops++) {
    await page.keyboard.press(key);
    const stop = await stopOf(page);
    if (stop !== undefined && name.test(stop.name)) return look(stop, `on the way to ${name}`);
  }
  throw new Error(`not reached by ${key}: ${name}`);
}
const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const type = async (page, text) => {
  await page.keyboard.press('Control+a');
  await page.keyboard.type(text);
};
/** Presses the button that has the focus, and gives the reason that its dialog asks for. */
async function decide(page) {
  await press(page, 'Enter');
  await type(page, 'Walked by keys');
  await press(page, 'Enter');
}
/** After something was done the focus is somewhere sensible. */
async function stands(page, when) {
  await page.waitForTimeout(DONE_MILLIS);
  const stop = await stopOf(page);
  look(stop, when);
  say(`  ${when}: ${stop?.name.slice(0, 60) ?? 'nowhere'}`);
}

const ANSWERS = { Amount: '250000', 'Cash at': '4000000', 'Monthly burn': '250000', 'Monthly revenue': '180000', 'Cash trend': '-8', 'Revenue growth': '90', 'Gross': '55', 'Compute, share': '40', 'Compute forecast': '15', Largest: '22', 'Days overdue': '0' };
const JOBS = {
  async stops() {
    for (const [who, path] of SCREENS) {
      const page = await enter(who, path);
      let stops = 0;
      for (; stops < STOPS_MAX; stops++) {
        await page.keyboard.press('Tab');
        const stop = await stopOf(page);
        if (stop === undefined) break;
        look(stop, `on ${path} of ${who ?? 'a visitor'}`);
      }
      say(`  ${path} of ${who ?? 'a visitor'}: ${stops} stops`);
      await page.context().close();
    }
  },
  async order() {
    const page = await enter('borrower', '/trade');
    await press(page, 'p');
    await type(page, '0.5');
    await go(page, /^Quantity/);
    await type(page, '3');
    await press(page, 'Enter');
    await stands(page, 'an order sent');
    await go(page, /^Open orders/);
    await go(page, /^Change$/);
    await press(page, 'Enter');
    await stands(page, 'a change begun');
    await type(page, '0.6');
    await press(page, 'Enter');
    await stands(page, 'the order changed');
    await go(page, /^Cancel$/);
    await press(page, 'Enter');
    await stands(page, 'the order cancelled');
    await press(page, '?');
    await stands(page, 'the keys shown');
    await press(page, 'Escape');
    await stands(page, 'the keys closed');
  },
  async block() {
    const page = await enter('borrower', '/trade');
    await go(page, /^Move in the heat map/);
    await press(page, 'ArrowRight', 'Shift+ArrowRight', 'Shift+ArrowRight', 'Enter');
    await stands(page, 'a block chosen');
    await go(page, /^Average price/);
    await type(page, '0.5');
    await go(page, /^Quantity/);
    await type(page, '2');
    await press(page, 'Enter');
    await stands(page, 'the block sent');
    await go(page, /^One hour/, 'Shift+Tab');
    await press(page, 'Enter');
    await stands(page, 'back to one hour');
  },
  async offer() {
    const page = await enter('provider', '/provider');
    await go(page, /^Declare capacity/);
    await press(page, 'Enter');
    await stands(page, 'capacity asked for');
    await press(page, 'Escape');
    await stands(page, 'and not declared');
    if (await page.getByRole('button', { name: 'Declare capacity first' }).count() > 0) return say('  no offer: this market has not verified any capacity of the provider, see take_screens.mjs');
    await go(page, /^Price/);
    await type(page, '1.99');
    await go(page, /^GPUs through/);
    await type(page, '1');
    await press(page, 'Enter');
    await stands(page, 'an hour offered');
    await go(page, /^Withdraw/, 'Shift+Tab');
    await press(page, 'Enter');
    await stands(page, 'the offer withdrawn');
  },
  async loan() {
    const page = await enter('borrower', '/credit');
    await go(page, /^Apply for a facility/);
    await press(page, 'Enter');
    await stands(page, 'an application begun');
    for (const [name, answer] of Object.entries(ANSWERS)) {
      await go(page, new RegExp(`^${name}`));
      await type(page, answer);
    }
    await press(page, 'Enter');
    await stands(page, 'applied');
    await go(page, /^Read the offer/);
    await press(page, 'Enter');
    await stands(page, 'the offer opened');
    await go(page, /^I have read/);
    await press(page, 'Space');
    await go(page, /^Accept/);
    await press(page, 'Enter');
    await stands(page, 'the offer accepted');
    for (const [act, amount] of [['Draw', '1000'], ['Repay', '10']]) {
      await page.getByRole('button', { name: act, exact: true }).first().focus();
      await press(page, 'Enter');
      await type(page, amount);
      await press(page, 'Enter');
      await stands(page, act);
      await press(page, 'Escape');
    }
  },
  async key() {
    const page = await enter('borrower', '/developers');
    await go(page, /^Create key/);
    await press(page, 'Enter');
    await type(page, 'By keys');
    await press(page, 'Enter');
    await stands(page, 'a key made');
    await press(page, 'Enter');
    await page.waitForTimeout(300);
    if (!(await page.evaluate(() => navigator.clipboard.readText())).startsWith('ccx_')) fail('the key is not in the clipboard');
    await go(page, /^I have copied/);
    await press(page, 'Enter');
    await stands(page, 'the key put away');
    await go(page, /^Send$/);
    await press(page, 'Enter');
    await stands(page, 'a prompt sent');
    await page.getByText('Credits used').waitFor();
    await stands(page, 'answered');
  },
  async halt() {
    const one = await enter('operator', '/operator');
    await go(one, /^GPU class/);
    await one.keyboard.type('L40S');
    await go(one, /^Halt$/);
    await decide(one);
    await stands(one, 'a class halted');
    // Beside Halt, for the class that is still chosen.
    await go(one, /^Resume$/);
    await decide(one);
    await stands(one, 'its return asked for');
    const two = await enter('operator_2', '/operator');
    await go(two, /^Confirm Resume: L40S/);
    await decide(two);
    await stands(two, 'and confirmed by another');
  },
  async freeze() {
    const page = await enter('lender', '/credit');
    await go(page, /^Freeze$/);
    await press(page, 'Enter');
    await go(page, /^Reason/);
    await type(page, 'Walked by keys');
    await go(page, /^Type .* to confirm/);
    const { name } = await stopOf(page);
    await type(page, name.replace(/^Type | to confirm$/g, ''));
    await press(page, 'Enter');
    await stands(page, 'frozen');
    await press(page, 'Enter');
    await go(page, /^Lift freeze/);
    await press(page, 'Enter');
    await stands(page, 'lifted');
  },
};

for (const [name, job] of Object.entries(JOBS)) {
  if (values.only !== '' && !values.only.split(',').includes(name)) continue;
  say(name);
  await job().catch((error) => fail(error.message));
  for (const context of browser.contexts()) await context.close();
}
await browser.close();
say(failures === 0 ? 'nothing lost' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
