/** The candle chart: the only user of the chart library, loaded when it is first shown. Prices are whole ticks in it. */
import { CandlestickSeries, ColorType, createChart, createSeriesMarkers, HistogramSeries, LineSeries, LineStyle, TickMarkType, type UTCTimestamp } from 'lightweight-charts';
import { format, fromTicks, toSteps, toTicks, type WireCandle } from '../../state/index.ts';
import { indexLine, widened, type Range } from './index_line.ts';

export interface OwnFill {
  at: string;
  side: 'buy' | 'sell';
  text: string;
}
export interface ChartColours {
  text: string;
  line: string;
  buy: string;
  sell: string;
  index: string;
}
export interface CandleChart {
  replace(candles: readonly WireCandle[]): void;
  update(candles: readonly WireCandle[]): void;
  fills(fills: readonly OwnFill[], seconds: number): void;
  /** Ticks: the volume-weighted price of the class, drawn as a level; undefined: none. */
  index(ticks: number | undefined): void;
  colours(colours: ChartColours): void;
  close(): void;
}

/** Local, as everywhere else; the library's own axis is UTC. */
const axisTime = (time: unknown, mark: TickMarkType): string =>
  mark === TickMarkType.Time || mark === TickMarkType.TimeWithSeconds
    ? format.minute(Number(time) * 1000)
    : format.dayOnly(Number(time) * 1000);

const secondsOf = (time: string): UTCTimestamp => Math.floor(Date.parse(time) / 1000) as UTCTimestamp;
const barOf = (candle: WireCandle) => ({ time: secondsOf(candle.start_at), open: toTicks(candle.open), high: toTicks(candle.high), low: toTicks(candle.low), close: toTicks(candle.close) });
const volumeOf = (candle: WireCandle) => ({ time: secondsOf(candle.start_at), value: toSteps(candle.volume) });

const LABEL_HALF_PIXELS = 24;
const LEVEL = { lineWidth: 1, lineStyle: LineStyle.Dashed, lastValueVisible: true, priceLineVisible: false, crosshairMarkerVisible: false } as const;

export function candleChart(element: HTMLElement, colours: ChartColours): CandleChart {
  let indexTicks: number | undefined;
  const chart = createChart(element, {
    autoSize: true,
    layout: { background: { type: ColorType.Solid, color: 'transparent' }, fontFamily: getComputedStyle(element).fontFamily, fontSize: 11, attributionLogo: false },
    // Half of the last bar's label stands behind it.
    timeScale: { rightOffsetPixels: LABEL_HALF_PIXELS, timeVisible: true, secondsVisible: false, borderVisible: false, maxBarSpacing: 18, tickMarkFormatter: axisTime },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.22 } },
    localization: { timeFormatter: (time: unknown) => format.dateTime(Number(time) * 1000) },
  });
  const priceFormat = { type: 'custom' as const, minMove: 1, formatter: (ticks: number) => fromTicks(Math.round(ticks)) };
  const series = chart.addSeries(CandlestickSeries, { priceFormat, borderVisible: false });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: 'volume', priceFormat: { type: 'custom', minMove: 1, formatter: String }, lastValueVisible: false, priceLineVisible: false });
  chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  const level = chart.addSeries(LineSeries, {
    // Its label says the index also where the line stands at the edge instead.
    priceFormat: { ...priceFormat, formatter: (ticks: number) => fromTicks(indexTicks ?? Math.round(ticks)) }, ...LEVEL,
  });
  const markers = createSeriesMarkers(series, []);
  let bars: UTCTimestamp[] = [];
  let range: Range | undefined;
  let current = colours;

  function drawIndex(): void {
    const [first, last] = [bars[0], bars.at(-1)];
    if (indexTicks === undefined || range === undefined || first === undefined || last === undefined) return level.setData([]);
    const { value, title } = indexLine(indexTicks, range);
    level.applyOptions({ title });
    level.setData([...new Set([first, last])].map((time) => ({ time, value })));
  }
  const paint = (next: ChartColours): void => {
    current = next;
    chart.applyOptions({ layout: { textColor: next.text }, grid: { vertLines: { color: next.line }, horzLines: { color: next.line } } });
    series.applyOptions({ upColor: next.buy, downColor: next.sell, wickUpColor: next.buy, wickDownColor: next.sell });
    volume.applyOptions({ color: next.line });
    level.applyOptions({ color: next.index });
  };
  paint(colours);
  return {
    replace(candles) {
      bars = candles.map((candle) => secondsOf(candle.start_at));
      range = candles.reduce<Range | undefined>(widened, undefined);
      series.setData(candles.map(barOf));
      volume.setData(candles.map(volumeOf));
      drawIndex();
      chart.timeScale().fitContent();
    },
    update(candles) {
      for (const candle of candles) {
        const bar = barOf(candle);
        if (bars.length > 0 && bar.time < (bars.at(-1) ?? 0)) continue;
        if (bar.time !== bars.at(-1)) bars.push(bar.time);
        range = widened(range, candle);
        series.update(bar);
        volume.update(volumeOf(candle));
      }
      drawIndex();
    },
    fills(fills, seconds) {
      const at = (time: string): UTCTimestamp => (Math.floor(secondsOf(time) / seconds) * seconds) as UTCTimestamp;
      const sorted = fills.map((fill) => ({ ...fill, time: at(fill.at) })).sort((a, b) => a.time - b.time);
      markers.setMarkers(sorted.map(({ time, side, text }) => (side === 'buy'
        ? { time, position: 'belowBar', shape: 'arrowUp', color: current.buy, text }
        : { time, position: 'aboveBar', shape: 'arrowDown', color: current.sell, text })));
    },
    index(ticks) {
      indexTicks = ticks;
      drawIndex();
    },
    colours: paint,
    close: () => chart.remove(),
  };
}
