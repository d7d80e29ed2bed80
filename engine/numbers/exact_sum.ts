/**
 * A whole number of any size that changes often and stays long. Text or a BigInt would leave a new object behind at each change, and
 * with very many sums those that have just changed are what a collection of garbage has to move; two numbers change in place.
 */

const PART = 2 ** 48;
const PART_EXACT = BigInt(PART);

export class ExactSum {
  private high = 0;
  private low = 0;

  constructor(value: bigint) {
    this.value = value;
  }

  get value(): bigint {
    return BigInt(this.high) * PART_EXACT + BigInt(this.low);
  }

  /** Below 2^101. */
  set value(value: bigint) {
    this.high = Number(value / PART_EXACT);
    this.low = Number(value % PART_EXACT);
  }

  /** Decimal digits, as snapshots hold it. */
  toJSON(): string {
    return this.value.toString();
  }
}
