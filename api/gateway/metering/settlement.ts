/** Charges a request: its capture is committed before the client sees the end of the answer. */
import type { Capture, Envelope } from '../../../engine/commands.ts';
import { formatMicro, formatUnits } from '../../../engine/numbers/units.ts';
import { idOf } from '../../ids.ts';
import type { Ack } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import type { Attempt } from '../relay/attempts.ts';
import type { Call } from '../relay/call.ts';
import { gpuTimeOf } from '../catalogue/ratings.ts';
import type { Grant } from './funding.ts';
import type { Metered } from './meter.ts';
import type { Receipt } from './receipt.ts';

export class Settlement {
  private readonly services: Pick<Services, 'sequencer' | 'directory' | 'committed'>;

  constructor(services: Pick<Services, 'sequencer' | 'directory' | 'committed'>) {
    this.services = services;
  }

  /** Resolves after the commit. @throws Unavailable, Error when the engine refuses what it has authorised */
  async settle(call: Call, { grant, endpoint, spotFees }: Attempt, metered: Metered): Promise<Receipt> {
    const { directory } = this.services;
    const { request, allocation, provider, gpu: held } = grant.authorisation;
    const gpu = Math.min(held, gpuTimeOf(grant.rated, metered.promptTokens, metered.completionTokens));
    const command: Capture = {
      type: 'capture', company: call.company, allocation, gpu, request, model: call.modelId, promptTokens: metered.promptTokens,
      completionTokens: metered.completionTokens, detail: { key: call.key, endpoint: endpoint.id, spotFees, estimated: metered.estimated },
    };
    // Under one key one capture, whatever becomes of this process: a repeat is told what the first one cost.
    let ack = await this.committed(grant, { command, idempotencyKey: call.idempotencyKey, bodyHash: call.bodyHash });
    let usage = ack.first('usageCaptured');
    // Another call has had the key, or got it meanwhile. What was served is paid for all the same: its tokens are with the client already.
    if (usage === undefined && ack.first('rejected')?.code === 'idempotency_mismatch') {
      ack = await this.committed(grant, { command, idempotencyKey: '', bodyHash: '' });
      usage = ack.first('usageCaptured');
    }
    grant.settled();
    if (usage === undefined) throw new Error(`capture ${ack.sequence} was refused: ${ack.first('rejected')?.code ?? 'no usage'}`);
    return {
      provider: directory.companyName(provider),
      endpoint: endpoint.id,
      allocation_id: idOf('allocation', usage.allocation),
      gpu_seconds: formatUnits(usage.gpu, 6),
      credits_used: formatMicro(usage.credits + spotFees),
      credits_remaining: formatMicro(ack.remaining ?? (await this.remaining(call.company))),
      ...(metered.estimated ? { estimated: true } : {}),
    };
  }

  /** A hold whose capture nobody can say has come through is of no more use. */
  private async committed(grant: Grant, capture: Envelope): Promise<Ack> {
    try {
      return await this.services.sequencer.submit(capture);
    } catch (error) {
      grant.release();
      throw error;
    }
  }

  /** Credit that the company has left, micro-CR. */
  async remaining(company: number): Promise<number> {
    const { available, held, contracted } = await this.services.sequencer.query('balances', { company });
    return available + held + contracted;
  }
}
