/** Counts the milliseconds in which this process, where client and endpoint are one, was not let run. */
export function countPauses(): { readonly millis: number; stop(): void } {
  const TICK = 1;
  const LATE = 5;
  let millis = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - last > TICK + LATE) millis += now - last - TICK;
    last = now;
  }, TICK);
  return { get millis() { return millis; }, stop: () => clearInterval(timer) };
}
