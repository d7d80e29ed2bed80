import { afterEach, describe, expect, it, vi } from 'vitest';
import { UsageError, exitCodeOf, readArguments, wholeNumber } from './arguments.ts';

const USAGE = 'usage: npm run thing -- [--seed N]';
const OPTIONS = { seed: { type: 'string', default: '1' } } as const;

describe('the arguments of a command', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('are read, and what is wrong with them is said together with how it is used', () => {
    expect(readArguments(USAGE, { args: ['--seed', '7'], options: OPTIONS }).values.seed).toBe('7');
    expect(() => readArguments(USAGE, { args: ['--sead', '7'], options: OPTIONS })).toThrow(new UsageError(USAGE, "Unknown option '--sead'"));
    expect(() => readArguments(USAGE, { args: ['seven'], options: OPTIONS })).toThrow(/^Unexpected argument 'seven'[^]*\nusage: /);
    expect(() => readArguments(USAGE, { args: ['--seed'], options: OPTIONS })).toThrow(USAGE);
  });

  it('are whole numbers within their bounds', () => {
    expect(wholeNumber(USAGE, 'seed', '0')).toBe(0);
    for (const text of ['', '-1', '1.5', '1e3', 'seven', '9007199254740993']) expect(() => wholeNumber(USAGE, 'seed', text)).toThrow(`--seed must be a whole number, got ${JSON.stringify(text)}\n${USAGE}`);
    expect(() => wholeNumber(USAGE, 'batch', '0', { least: 1 })).toThrow('--batch must be a whole number of at least 1, got "0"');
    expect(() => wholeNumber(USAGE, 'port', '70000', { most: 65_535 })).toThrow('--port must be a whole number from 0 to 65535, got "70000"');
  });

  it('decide the exit code', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    expect(await exitCodeOf(() => Promise.resolve(3))).toBe(3);
    expect(await exitCodeOf(() => Promise.reject(new UsageError(USAGE)))).toBe(2);
    expect(await exitCodeOf(() => Promise.reject(new Error('the database does not answer')))).toBe(1);
    expect(said.mock.calls).toEqual([[USAGE], ['the database does not answer']]);
  });
});
