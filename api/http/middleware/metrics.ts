/** Counters for Prometheus. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { SequencerPort } from '../../sequencer/port.ts';
import type { Route } from '../route.ts';

export interface Metrics {
  contentType: string;
  /** All of them, as Prometheus reads them. */
  text(): Promise<string>;
  observe(route: Route, status: number, millis: number): void;
}

/** Of a process that stands by. */
export interface StandbyFigures {
  sequence: number;
  isWarm: boolean;
}

/** @param standby undefined: this process does not stand by now */
export function createMetrics(services: { sequencer: Pick<SequencerPort, 'status'> }, standby: () => StandbyFigures | undefined = () => undefined): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({ name: 'http_requests_total', help: 'Requests by operation and status.', labelNames: ['operation', 'status'], registers: [registry] });
  const durations = new Histogram({
    name: 'http_request_duration_seconds', help: 'Time from the request to the end of its answer.', labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10], registers: [registry],
  });
  /** Looking a series up by its labels costs more than counting. */
  const series = new Map<string, { count: Counter.Internal; duration: Histogram.Internal<'operation'> }>();
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [registry] });
  const sequence = gauge('market_committed_sequence', 'Last command that is durable.');
  const queue = gauge('sequencer_queue_length', 'Commands waiting for the engine.');
  const epoch = gauge('sequencer_epoch', 'Fencing epoch of the leader.');
  const engineTime = gauge('market_engine_time_seconds', 'Engine time, seconds since 1970.');
  const up = gauge('sequencer_up', '1 while the sequencer answers.');
  const warm = gauge('standby_warm', '1 while this process could lead at once.');
  const followed = gauge('standby_followed_sequence', 'Last command that a standby has executed.');
  return {
    contentType: registry.contentType,
    async text() {
      const status = await services.sequencer.status().catch(() => undefined);
      up.set(status === undefined ? 0 : 1);
      if (status !== undefined) {
        sequence.set(status.committedSequence);
        queue.set(status.queueLength);
        epoch.set(status.epoch);
        engineTime.set(status.now / 1000);
      }
      const standing = standby();
      warm.set(standing?.isWarm === true ? 1 : 0);
      if (standing !== undefined) followed.set(standing.sequence);
      return registry.metrics();
    },
    observe(route, status, millis) {
      const name = `${route.operationId} ${status}`;
      let known = series.get(name);
      if (known === undefined) {
        const { operationId: operation } = route;
        series.set(name, (known = { count: requests.labels({ operation, status }), duration: durations.labels({ operation }) }));
      }
      known.count.inc();
      known.duration.observe(millis / 1000);
    },
  };
}
