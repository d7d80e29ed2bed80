/**
 * How an endpoint comes to serve: its address is checked when it is registered, each of its models
 * answers a completion, and then the market learns what its provider can deliver there.
 */
import { NONE, SELL, classOf } from '../../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import type { Command } from '../../../engine/commands.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { EndpointWatch, Services } from '../../services.ts';
import { AddressRefused } from './address_guard.ts';
import type { AddressGuard } from './address_guard.ts';
import { findModel } from '../catalogue/catalogue.ts';
import type { RatingBook } from '../catalogue/rating_book.ts';
import { rating } from '../catalogue/ratings.ts';
import type { VerificationRuns } from '../catalogue/verification_runs.ts';
import type { EndpointRow, EndpointRows } from './endpoint_rows.ts';
import { targetOf } from './endpoints.ts';
import type { Endpoints } from './endpoints.ts';
import type { Upstream } from '../relay/upstream.ts';
import type { Vault } from './vault.ts';
import { measurePace, verifyEndpoint } from './verify_endpoint.ts';
import type { Capacity, EndpointClaim, Verdict } from './verify_endpoint.ts';

export interface EndpointWatcherParts {
  services: Pick<Services, 'sequencer' | 'directory' | 'log' | 'vault' | 'committed'>;
  ratings: RatingBook;
  runs: VerificationRuns;
  rows: EndpointRows;
  guard: AddressGuard;
  upstream: Upstream;
  endpoints: Endpoints;
  /** Whether an endpoint must write as fast as what is declared of it, or that is only noted; undefined: neither. */
  paceOf: (url: string) => 'required' | 'noted' | undefined;
}

const POLL_MILLIS = 1_000;
/** An endpoint that failed is asked again after this. */
const RETRY_MILLIS = 30_000;
const AT_ONCE_MAX = 8;

export class EndpointWatcher implements EndpointWatch {
  private readonly parts: EndpointWatcherParts;
  private readonly verifying = new Set<string>();
  private readonly failedAt = new Map<string, number>();
  private readonly vault: Vault;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  /** One at a time: what is published last was read last. */
  private publishing: Promise<void> = Promise.resolve();
  /** One at a time: what is only noted is to hold up nothing. */
  private noting: Promise<void> = Promise.resolve();

  constructor(parts: EndpointWatcherParts) {
    this.parts = parts;
    this.vault = parts.services.vault;
  }

  start(): void {
    this.timer = setInterval(() => this.inBackground(this.verifyPending()), POLL_MILLIS);
    this.timer.unref();
  }
  stop(): void {
    this.isStopped = true;
    clearInterval(this.timer);
  }

  refusal(url: string): Promise<string | undefined> {
    try {
      this.parts.guard.check(new URL(url));
      return Promise.resolve(undefined);
    } catch (error) {
      if (error instanceof AddressRefused) return Promise.resolve(error.message);
      throw error;
    }
  }

  changed(id: string): void {
    this.inBackground(this.look(id));
  }

  private inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.parts.services.log.warn({ err: error }, 'endpoints cannot be verified at the moment'));
  }

  /** What follows for the market from a row as it is now. */
  private async look(id: string): Promise<void> {
    const row = await this.parts.rows.find(id);
    if (row === undefined) return;
    if (row.status === 'verified' || row.status === 'removed' || row.status === 'draining') await this.publish(row.company, row.market);
    else await this.verifyPending();
  }

  private async verifyPending(): Promise<void> {
    const now = Date.now();
    const rows = (await this.parts.rows.all()).filter(({ id, status }) =>
      status === 'pending' || (status === 'failed' && (this.failedAt.get(id) ?? 0) + RETRY_MILLIS <= now));
    const free = rows.filter(({ id }) => !this.verifying.has(id)).slice(0, AT_ONCE_MAX - this.verifying.size);
    for (const { id } of free) this.verifying.add(id);
    await Promise.all(free.map((row) => this.verify(row)));
    if (free.length > 0) await this.verifyPending();
  }

  private async verify(row: EndpointRow): Promise<void> {
    try {
      const verdict = await this.verdictOf(row);
      await this.note(row, verdict);
      if (!verdict.ok) this.failedAt.set(row.id, Date.now());
      // Who reads that an endpoint is verified may offer its hours at once.
      if (verdict.ok) await this.publish(row.company, row.market, row.id);
      await this.parts.rows.judged(row, verdict.ok ? 'verified' : 'failed', verdict.ok ? '' : verdict.reason);
      await this.publish(row.company, row.market);
      if (verdict.ok && this.parts.paceOf(row.url) === 'noted') this.measureSoon(row);
    } finally {
      this.verifying.delete(row.id);
    }
  }

  private async note(row: EndpointRow, { pace }: Verdict): Promise<void> {
    if (pace !== undefined) await this.parts.runs.note({ endpoint: row.id, company: row.company, class: this.classNameOf(row), ...pace });
  }

  private measureSoon(row: EndpointRow): void {
    const work = this.noting.then(() => this.measure(row));
    this.noting = work.catch(() => undefined);
    this.inBackground(work);
  }

  /** Of one that is verified, whatever its pace. */
  private async measure(row: EndpointRow): Promise<void> {
    const capacity = this.capacityOf(row);
    if (capacity !== undefined && !this.isStopped) await this.note(row, await measurePace(this.parts.upstream, this.claimOf(row), capacity));
  }

  private hour(): number {
    return Math.floor(this.parts.services.committed.now / MILLIS_PER_HOUR);
  }

  private classNameOf({ market }: EndpointRow): string {
    return this.parts.services.directory.className(classOf(market));
  }

  private async verdictOf(row: EndpointRow): Promise<Verdict> {
    const className = this.classNameOf(row);
    const unfit = row.models.find((name) => rating(name, className) === undefined);
    if (unfit !== undefined) return { ok: false, reason: findModel(unfit) === undefined ? `the catalogue has no model "${unfit}"` : `"${unfit}" does not fit on ${className}` };
    return verifyEndpoint(this.parts.upstream, { ...this.claimOf(row), capacity: this.parts.paceOf(row.url) === 'required' ? this.capacityOf(row) : undefined });
  }

  private claimOf(row: EndpointRow): EndpointClaim {
    return { target: targetOf(row, this.vault), models: row.models };
  }

  private capacityOf(row: EndpointRow): Capacity | undefined {
    const gpus = this.parts.services.directory.capacities(row.company).find(({ market }) => market === row.market)?.declared;
    return gpus === undefined ? undefined : { className: this.classNameOf(row), gpus, ratings: this.parts.ratings.inForce(this.hour()) };
  }

  /**
   * Tells the market what verified endpoints of a provider prove on a market: the models it serves
   * there and, once there is one, its declared capacity.
   * @param proven an endpoint that counts as verified though its row does not say so yet
   */
  private publish(company: number, market: number, proven?: string): Promise<void> {
    const published = this.publishing.then(() => this.publishNow(company, market, proven));
    this.publishing = published.catch(() => undefined);
    return published;
  }

  private async publishNow(company: number, market: number, proven?: string): Promise<void> {
    const { rows, endpoints, services } = this.parts;
    await endpoints.refresh();
    const verified = (await rows.all()).filter((row) => row.company === company && row.market === market && (row.status === 'verified' || (row.id === proven && row.status !== 'draining')));
    const models: number[] = [];
    for (const name of new Set(verified.flatMap((row) => row.models.flatMap((served) => findModel(served)?.id ?? [])))) models.push(await this.modelId(name));
    models.sort((a, b) => a - b);
    const known = services.directory.capacities(company).find((entry) => entry.market === market);
    if (known === undefined) return;
    if (verified.length > 0 && known.verified !== known.declared) await this.submit({ type: 'verifyCapacity', company, market, gpus: known.declared });
    // A suspended provider serves nothing; when it is reinstated its endpoints are looked at again.
    if (known.models.join() !== models.join() && !(await services.sequencer.query('suspended', {})).some((suspended) => suspended.company === company)) {
      await this.submit({ type: 'setEligibility', company, market, models });
      // Nobody serves there any more: what is on offer of the running hour would be bought to fail.
      if (models.length === 0) await this.submit({ type: 'cancelAll', company, market, hour: this.hour(), side: SELL, onDisconnect: false, notServed: true });
    }
  }

  /** The market's number of a model; one that it does not know yet is added. */
  private async modelId(name: string): Promise<number> {
    const { directory, sequencer } = this.parts.services;
    const known = directory.modelId(name);
    if (known !== NONE) return known;
    const ack = await sequencer.submit({ command: { type: 'addModel', name }, idempotencyKey: '', bodyHash: '' });
    // Another process may have been first.
    const model = eventOf(ack.events, 'modelAdded')?.model ?? directory.modelId(name);
    if (model === NONE) throw new Error(`the market has no model ${name}`);
    return model;
  }

  private async submit(command: Command): Promise<void> {
    const ack = await this.parts.services.sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
    const rejected = eventOf(ack.events, 'rejected');
    if (rejected !== undefined) throw new Error(`${command.type} was refused: ${rejected.code}`);
  }
}
