import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SameButText } from './same_but_text.ts';

const chunk = (content: string, more = ''): string => `data: {"id":"ü","choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]${more}}`;

/** What is read of some events and the letters that are left. */
function skimmed(same: SameButText, events: readonly (string | Buffer)[], from = 0): { texts: string; left: string } {
  const bytes = Buffer.concat(events.map((event) => Buffer.concat([Buffer.from(event), Buffer.from('\n\n')])));
  const texts: string[] = [];
  const end = same.skim(bytes.toString('latin1'), from, (choice, text) => texts.push(choice === CHOICE ? text : 'of another choice'));
  return { texts: texts.join(''), left: bytes.toString('utf8', end) };
}

const CHOICE = 2;
function taught(): SameButText {
  const same = new SameButText();
  same.learn(chunk('one'), { choice: CHOICE, text: 'one' });
  return same;
}

test('reads the text of what is like the learned, and nothing else', () => {
  expect(skimmed(new SameButText(), [chunk('one')])).toEqual({ texts: '', left: `${chunk('one')}\n\n` });
  expect(skimmed(taught(), [chunk(' two'), chunk(''), chunk('日本語 grüße')])).toEqual({ texts: ' two日本語 grüße', left: '' });
  const others = [chunk('a"b'), chunk('a\\b'), chunk('a\nb'), chunk('x', ',"usage":{}'), chunk('x","refusal":"y'), '{}', '', chunk('one').slice(0, -1)];
  for (const other of others) expect(skimmed(taught(), [chunk('x'), other, chunk('y')])).toEqual({ texts: 'x', left: `${other}\n\n${chunk('y')}\n\n` });
});

test('begins where it is told, and reads no event whose end is still to come', () => {
  const first = Buffer.byteLength(chunk('one')) + 2;
  expect(skimmed(taught(), [chunk('one'), chunk(' two')], first).texts).toBe(' two');
  expect(taught().skim(Buffer.from(`${chunk('one')}\n`).toString('latin1'), 0, () => undefined)).toBe(0);
});

test('an injected field is not text', () => {
  expect(skimmed(taught(), ['data: {"id":"ü","choices":[{"index":0,"delta":{"content":"x","tool_calls":[],"y":"z"}}]}']).texts).toBe('');
});

test('bytes that are no text are not passed on', () => {
  const broken = Buffer.from(chunk('one'));
  broken[broken.indexOf('one')] = 0xff;
  expect(skimmed(taught(), [broken]).texts).toBe('');
});

test('does not learn from text that stands twice or is spelled otherwise', () => {
  const same = new SameButText();
  same.learn(chunk('ü'), { choice: 0, text: 'ü' });
  same.learn(chunk('a\nb'), { choice: 0, text: 'a\nb' });
  expect(skimmed(same, [chunk('x')]).texts).toBe('');
});

test('reads whatever follows as one event after the other would be', () => {
  const event = fc.oneof(fc.string({ unit: 'grapheme' }).map((text) => chunk(text)), fc.constantFrom(chunk('a"b'), ': comment', 'data: [DONE]', chunk('x', ',"usage":{}')));
  fc.assert(fc.property(fc.array(event), (events) => {
    const plain = events.findIndex((one) => skimmed(taught(), [one]).left !== '');
    const read = plain === -1 ? events : events.slice(0, plain);
    expect(skimmed(taught(), events)).toEqual({ texts: read.map((one) => skimmed(taught(), [one]).texts).join(''), left: events.slice(read.length).map((one) => `${one}\n\n`).join('') });
  }));
});
