import { expect, test } from 'vitest';
import { statementPdf } from './statement_pdf.ts';

test('a statement of many lines is a document of several pages', async () => {
  const line = { date: '2026-12-01', event: 'interestAccrued', account: 'interest.receivable', count: 1, amount: '122.356164', balance: '0.00', unit: 'USD' as const };
  const account = { account: 'unapplied', title: 'Cash', unit: 'USD' as const, opening: '0.00', increase: '10.00', decrease: '4.00', closing: '6.00' };
  const statement = { month: '2026-12', company: 'Ünïcode & Söhne', company_id: 'cmp_1', from: '2026-12-01', to: '2026-12-31', complete: true, accounts: [account] };
  const pagesOf = async (lines: number): Promise<number> => {
    const pdf = await statementPdf({ ...statement, lines: Array.from({ length: lines }, () => line) });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    return pdf.toString('latin1').match(/\/Type \/Page\b/g)?.length ?? 0;
  };
  expect(await pagesOf(0)).toBe(1);
  expect(await pagesOf(120)).toBe(3);
});
