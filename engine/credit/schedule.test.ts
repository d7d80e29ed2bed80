import { describe, expect, test } from 'vitest';
import { formatDate, parseDate } from './dates.ts';
import type { DayCount } from './day_count.ts';
import { Exact, fractionOf, timesRatio, type Fraction } from './exact.ts';
import { annuityInstalment, repaymentSchedule, totalInterest, type ScheduleError, type ScheduleTerms } from './schedule.ts';

const day = (text: string): number => parseDate(text) ?? Number.NaN;

const terms = (change: Partial<Omit<ScheduleTerms, 'annualRate'>> & { rate?: string }): ScheduleTerms => {
  const { rate = '12', ...rest } = change;
  return {
    principal: 100_000,
    annualRate: new Exact(rate).div(100),
    periods: 12,
    disbursedOn: day('2024-01-01'),
    dayCount: '30/360',
    every: 1,
    unit: 'months',
    method: 'annuity',
    ...rest,
  };
};
const dues = (change: Parameters<typeof terms>[0]) => repaymentSchedule(terms(change)).map(({ due }) => due);
const dates = (change: Parameters<typeof terms>[0]) => repaymentSchedule(terms(change)).map(({ dueOn }) => formatDate(dueOn));

describe('the annuity', () => {
  // PMT of a spreadsheet: PMT(rate / 12, periods, -principal).
  test.each<[string, number, number, string]>([
    ['12', 12, 100_000, '8884.878867834'],
    ['6', 360, 20_000_000, '119910.105030550'],
    ['9.99', 48, 1_500_000, '38036.671895969'],
    ['24', 6, 100_000, '17852.581233520'],
  ])('at %s %% over %i months of %i cents pays %s', (rate, periods, principal, expected) => {
    const monthly = timesRatio(fractionOf(new Exact(rate)), 1, 1_200);
    expect(annuityInstalment(principal, new Array<Fraction>(periods).fill(monthly)).toFixed(9)).toBe(expected);
  });

  test('is the one known schedule of 1,000 at 12 % over 12 months', () => {
    const rows = repaymentSchedule(terms({}));
    expect(rows.map(({ principal, interest, due, balance }) => [principal, interest, due, balance])).toEqual([
      [7_885, 1_000, 8_885, 92_115],
      [7_964, 921, 8_885, 84_151],
      [8_043, 842, 8_885, 76_108],
      [8_124, 761, 8_885, 67_984],
      [8_205, 680, 8_885, 59_779],
      [8_287, 598, 8_885, 51_492],
      [8_370, 515, 8_885, 43_122],
      [8_454, 431, 8_885, 34_668],
      [8_538, 347, 8_885, 26_130],
      [8_624, 261, 8_885, 17_506],
      [8_710, 175, 8_885, 8_796],
      [8_796, 88, 8_884, 0],
    ]);
    expect(totalInterest(rows)).toBe(6_619);
  });

  // Apache Fineract's progressive loan: 100 at 7 % over six months, 30/360.
  test('agrees with a progressive schedule of 100.00 at 7 % over 6 months', () => {
    const rows = repaymentSchedule(terms({ principal: 10_000, rate: '7', periods: 6 }));
    expect(rows.map(({ principal, interest, due, balance }) => [principal, interest, due, balance])).toEqual([
      [1_643, 58, 1_701, 8_357],
      [1_652, 49, 1_701, 6_705],
      [1_662, 39, 1_701, 5_043],
      [1_672, 29, 1_701, 3_371],
      [1_681, 20, 1_701, 1_690],
      [1_690, 10, 1_700, 0],
    ]);
  });

  test('with a rate of 0 divides the principal', () => {
    expect(dues({ rate: '0', principal: 10_000, periods: 3 })).toEqual([3_333, 3_333, 3_334]);
  });

  test.each<[string, Parameters<typeof terms>[0], [number, number], [number, number]]>([
    ['24 months leave -15 to the last, refined +10', { principal: 2_445_683, rate: '7', periods: 24 }, [109_500, 109_485], [109_499, 109_509]],
    ['48 months leave +35, refined -34', { principal: 346_914, rate: '18.5', periods: 48 }, [10_281, 10_316], [10_282, 10_248]],
    ['no more than half a cent an instalment is left alone', { principal: 10_004, rate: '0', periods: 8 }, [1_250, 1_254], [1_250, 1_254]],
    ['a multiple stays a multiple', { instalmentMultipleOf: 100 }, [8_900, 8_707], [8_900, 8_707]],
  ])('refinement: %s', (_name, change, plain, refined) => {
    const firstAndLast = (list: number[]) => [list[0], list[list.length - 1]];
    expect(firstAndLast(dues(change))).toEqual(plain);
    expect(firstAndLast(dues({ ...change, refine: true }))).toEqual(refined);
  });

  // 12 % over 50 years: a month of 31 days earns more than the instalment, what is missing is owed too, and every instalment stays alike.
  test('stays equal where a long month earns more than it', () => {
    const rows = repaymentSchedule(terms({ principal: 100_000_000, periods: 600, disbursedOn: day('2024-01-31'), dayCount: 'ACT/360' }));
    expect(rows.slice(0, 3).map(({ principal, due, balance }) => [principal, due, balance])).toEqual([
      [50_003, 1_016_670, 99_949_997], [-16_147, 1_016_670, 99_966_144], [17_009, 1_016_670, 99_949_135],
    ]);
    expect([new Set(rows.slice(0, -1).map(({ due }) => due)).size, rows[599].due, rows[599].balance]).toEqual([1, 1_027_185, 0]);
    // What would grow without end rises to its interest instead: 100 % and more a year over decades.
    for (const rate of ['100', '400', '1000']) {
      const steep = repaymentSchedule(terms({ rate, principal: 100_000, periods: 600, dayCount: 'ACT/365', instalmentMultipleOf: 7 }));
      expect([steep.reduce((sum, { principal }) => sum + principal, 0), steep[599].balance, steep.every(({ principal }) => principal >= 0)]).toEqual([100_000, 0, true]);
    }
    const facility = repaymentSchedule({ ...terms({ principal: 100_000_000, periods: 600, disbursedOn: day('2024-01-31'), dayCount: 'ACT/360' }), neverGrows: true });
    expect([facility[1].principal, facility[599].balance]).toEqual([0, 0]);
  });

  test('interest-only periods come first', () => {
    const rows = repaymentSchedule(terms({ periods: 6, interestOnly: 2 }));
    expect(rows.map(({ principal, interest }) => [principal, interest])).toEqual([
      [0, 1_000],
      [0, 1_000],
      [24_628, 1_000],
      [24_874, 754],
      [25_123, 505],
      [25_375, 254],
    ]);
  });

  test('a further draw on a due date re-amortises what remains', () => {
    const rows = repaymentSchedule(terms({ furtherDraws: [{ on: day('2024-04-01'), amount: 50_000 }] }));
    expect(rows.slice(0, 3).map(({ due }) => due)).toEqual([8_885, 8_885, 8_885]);
    // 761.08 + 500.00 over nine months.
    expect(rows.slice(3, 11).map(({ due }) => due)).toEqual(new Array(8).fill(14_722));
    expect(rows.reduce((sum, { principal }) => sum + principal, 0)).toBe(150_000);
    expect(rows[11].balance).toBe(0);
  });
});

describe('a further draw between due dates', () => {
  const draw = (on: string, change: Parameters<typeof terms>[0] = {}) => repaymentSchedule(terms({ periods: 3, furtherDraws: [{ on: day(on), amount: 50_000 }], ...change }));

  // 16 of the 31 days of January are left, 15 of the 29 of February.
  test.each<[string, Parameters<typeof terms>[0], number[]]>([
    ['2024-01-16', { method: 'bullet' }, [1_258, 1_500, 1_500]],
    ['2024-02-15', { method: 'bullet' }, [1_000, 1_259, 1_500]],
    ['2024-02-15', { method: 'flat' }, [1_000, 1_259, 1_500]],
    ['2024-02-15', { method: 'bullet', dayCount: 'ACT/365' }, [1_019, 1_200, 1_529]],
    ['2024-01-05', { method: 'bullet', unit: 'weeks', dayCount: 'ACT/365' }, [279, 345, 345]],
    // A first period of a month and 17 of 31 days; the draw is there for a month and 12.
    ['2024-01-20', { method: 'bullet', disbursedOn: day('2024-01-15'), firstDueOn: day('2024-03-01') }, [2_242, 1_500, 1_500]],
    // From the 31st to the 29th is a month; the draw is there for 14 of its 29 days.
    ['2024-02-15', { method: 'bullet', disbursedOn: day('2024-01-31') }, [1_241, 1_500, 1_500]],
  ])('on %s earns from its day on: %o', (on, change, expected) => {
    expect(draw(on, change).map(({ interest }) => interest)).toEqual(expected);
  });

  test('is repaid from the next instalment on, and leaves those before as they were', () => {
    const [first, ...rest] = draw('2024-02-15', { method: 'equal_principal' });
    expect([first.principal, first.balance, ...rest.map(({ principal }) => principal), rest[1].balance]).toEqual([33_333, 66_667, 58_334, 58_333, 0]);
  });

  test('may be one of several in a period, on its days together or alone', () => {
    const twice = repaymentSchedule(terms({ periods: 3, furtherDraws: [{ on: day('2024-02-10'), amount: 30_000 }, { on: day('2024-02-15'), amount: 20_000 }, { on: day('2024-02-10'), amount: 20_000 }] }));
    const once = repaymentSchedule(terms({ periods: 3, furtherDraws: [{ on: day('2024-02-15'), amount: 20_000 }, { on: day('2024-02-10'), amount: 50_000 }] }));
    expect(twice).toEqual(once);
    expect(twice.reduce((sum, { principal }) => sum + principal, 0)).toBe(170_000);
  });

  test('may still come in the last period', () => {
    expect(draw('2024-03-31').map(({ balance }) => balance).at(-1)).toBe(0);
  });
});

describe('the other methods', () => {
  test('bullet repays at the end', () => {
    const rows = repaymentSchedule(terms({ method: 'bullet', periods: 3 }));
    expect(rows.map(({ principal, interest }) => [principal, interest])).toEqual([[0, 1_000], [0, 1_000], [100_000, 1_000]]);
  });

  test('equal principal falls with the balance, the last absorbing', () => {
    const rows = repaymentSchedule(terms({ method: 'equal_principal', periods: 3 }));
    expect(rows.map(({ principal, interest, balance }) => [principal, interest, balance])).toEqual([
      [33_333, 1_000, 66_667],
      [33_333, 667, 33_334],
      [33_334, 333, 0],
    ]);
  });

  test('flat charges on the original principal', () => {
    const rows = repaymentSchedule(terms({ method: 'flat', periods: 3 }));
    expect(rows.map(({ principal, interest }) => [principal, interest])).toEqual([[33_333, 1_000], [33_333, 1_000], [33_334, 1_000]]);
  });

  test('interest-only periods and further draws hold for all of them', () => {
    const draw = { furtherDraws: [{ on: day('2024-03-01'), amount: 50_000 }], interestOnly: 1, periods: 4 };
    const principals = (method: ScheduleTerms['method']) => repaymentSchedule(terms({ ...draw, method })).map(({ principal }) => principal);
    expect(principals('equal_principal')).toEqual([0, 33_333, 58_334, 58_333]);
    expect(principals('bullet')).toEqual([0, 0, 0, 150_000]);
    expect(repaymentSchedule(terms({ ...draw, method: 'flat' })).map(({ interest }) => interest)).toEqual([1_000, 1_000, 1_500, 1_500]);
  });
});

describe('dates and period rates', () => {
  test('the 31st returns after short months', () => {
    expect(dates({ disbursedOn: day('2024-01-31'), periods: 4 })).toEqual(['2024-02-29', '2024-03-31', '2024-04-30', '2024-05-31']);
    expect(dates({ disbursedOn: day('2024-01-31'), firstDueOn: day('2024-02-29'), periods: 3 })).toEqual(['2024-02-29', '2024-03-31', '2024-04-30']);
    expect(dates({ disbursedOn: day('2024-01-10'), firstDueOn: day('2024-02-29'), periods: 3 })).toEqual(['2024-02-29', '2024-03-29', '2024-04-29']);
  });

  test('quarters, weeks and days', () => {
    expect(dates({ every: 3, periods: 2 })).toEqual(['2024-04-01', '2024-07-01']);
    expect(dates({ every: 2, unit: 'weeks', periods: 2 })).toEqual(['2024-01-15', '2024-01-29']);
    expect(dates({ every: 15, unit: 'days', periods: 2 })).toEqual(['2024-01-16', '2024-01-31']);
  });

  test.each<[string, Parameters<typeof terms>[0], number[]]>([
    ['30/360 months are equal', { dayCount: '30/360' }, [1_000, 1_000, 1_000]],
    ['30E/360 months are equal', { dayCount: '30E/360' }, [1_000, 1_000, 1_000]],
    ['ACT/365 months by days', { dayCount: 'ACT/365' }, [1_019, 953, 1_019]],
    ['ACT/360 months by days', { dayCount: 'ACT/360' }, [1_033, 967, 1_033]],
    ['quarters', { every: 3 }, [3_000, 3_000, 3_000]],
    ['weeks of 365', { unit: 'weeks', dayCount: 'ACT/365' }, [230, 230, 230]],
    ['fortnights of 360', { unit: 'weeks', every: 2 }, [467, 467, 467]],
    ['days', { unit: 'days', every: 10, dayCount: 'ACT/365' }, [329, 329, 329]],
    ['a broken first month: 17 of 31 days', { disbursedOn: day('2024-01-15'), firstDueOn: day('2024-02-01') }, [548, 1_000, 1_000]],
    ['a long first month: one and 17 of 31 days', { disbursedOn: day('2024-01-15'), firstDueOn: day('2024-03-01') }, [1_548, 1_000, 1_000]],
    ['a broken first month by days', { disbursedOn: day('2024-01-15'), firstDueOn: day('2024-02-01'), dayCount: 'ACT/365' }, [559, 953, 1_019]],
    ['a broken first week: 3 of 7 days', { unit: 'weeks', firstDueOn: day('2024-01-04') }, [100, 233, 233]],
    ['month end to month end', { disbursedOn: day('2024-01-31') }, [1_000, 1_000, 1_000]],
  ])('interest of a bullet: %s', (_name, change, expected) => {
    const rows = repaymentSchedule(terms({ method: 'bullet', periods: 3, ...change }));
    expect(rows.map(({ interest }) => interest)).toEqual(expected);
  });

  test.each<[DayCount, number[]]>([
    ['30/360', [30, 30, 30]],
    ['ACT/365', [31, 29, 31]],
  ])('days of a row are those of %s', (dayCount, expected) => {
    expect(repaymentSchedule(terms({ dayCount, periods: 3 })).map(({ days }) => days)).toEqual(expected);
  });
});

describe('terms that contradict each other', () => {
  test.each<[string, Parameters<typeof terms>[0]]>([
    ['principal', { principal: 0 }],
    ['annual_rate_percent', { rate: '-1' }],
    ['periods', { periods: 0 }],
    ['periods', { disbursedOn: day('9999-01-02') }],
    ['interest_only_periods', { interestOnly: 12 }],
    ['first_due_on', { firstDueOn: day('2024-01-01') }],
    ['further_draws', { furtherDraws: [{ on: day('2023-12-31'), amount: 1 }] }],
    ['further_draws', { furtherDraws: [{ on: day('2025-01-01'), amount: 1 }] }],
  ])('are refused naming %s', (field, change) => {
    const refused = expect.objectContaining({ field }) as ScheduleError;
    expect(() => repaymentSchedule(terms(change))).toThrow(refused);
  });
});
