import { describe, expect, test } from 'vitest';
import { Unavailable } from '../sequencer/port.ts';
import { isPassing, patiently } from './patience.ts';

const refusal = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

describe('what is not there yet', () => {
  test('is waited for, told once for each reason, and what an attempt opened is closed before the next', async () => {
    const failures = [refusal('ECONNREFUSED'), refusal('ECONNREFUSED'), new Unavailable('the market cannot be reached')];
    const lines: string[] = [];
    let undone = 0;
    const attempt = (): Promise<string> => {
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve('there') : Promise.reject(failure);
    };
    const undo = (): Promise<void> => Promise.resolve(void undone++);
    expect(await patiently('the market', attempt, { say: (line) => lines.push(line), closing: new AbortController().signal, undo })).toBe('there');
    expect(lines).toEqual(['waiting for the market: connect ECONNREFUSED', 'waiting for the market: the market cannot be reached']);
    expect(undone).toBe(3);
  });

  test('is not waited for when waiting does not help, when it has taken too long, and by a process that ends', async () => {
    const patience = { say: () => undefined, closing: new AbortController().signal };
    await expect(patiently('x', () => Promise.reject(refusal('28P01')), patience)).rejects.toThrow('28P01');
    await expect(patiently('x', () => Promise.reject(refusal('ECONNREFUSED')), { ...patience, waitMillis: 0 })).rejects.toThrow('ECONNREFUSED');
    await expect(patiently('x', () => Promise.reject(refusal('ECONNREFUSED')), { ...patience, closing: AbortSignal.abort() })).rejects.toThrow('ECONNREFUSED');
  });

  test('is told from a mistake', () => {
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', '57P03', '53300', '3D000']) expect(isPassing(refusal(code))).toBe(true);
    for (const code of ['28P01', '28000', '42P01']) expect(isPassing(refusal(code))).toBe(false);
    expect(isPassing(new Error('timeout expired'))).toBe(true);
    expect(isPassing(new Error('the database runs with fsync=off'))).toBe(false);
  });
});
