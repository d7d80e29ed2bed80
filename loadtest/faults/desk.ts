/**
 * A market for inference beside the others: its clock stands unless a fault moves it, so that what is held when an hour ends
 * is found, and its borrower buys at one endpoint, which the fault steers.
 */
import type { Socket } from 'node:net';
import type { Fault, FaultReport } from './fault.ts';
import { FaultWorld } from './fault_world.ts';
import { CHAT, EMBEDDING, beginHour, callerOf, openEndpoint, sellHour } from './inference_market.ts';
import { SteeredEndpoint } from './steered_endpoint.ts';

export class Desk {
  readonly world: FaultWorld;
  readonly endpoint: SteeredEndpoint;
  /** Company id of who has the endpoint. */
  readonly provider: string;
  /** Connections of a fault, which are closed after it. */
  readonly clients: Socket[] = [];

  private constructor(world: FaultWorld, endpoint: SteeredEndpoint, provider: string) {
    this.world = world;
    this.endpoint = endpoint;
    this.provider = provider;
  }

  static async open({ founded, root, long, say }: FaultWorld): Promise<Desk> {
    const endpoint = await SteeredEndpoint.open([CHAT, EMBEDDING]);
    const world = await FaultWorld.open({ founded, name: 'desk', root, long, say, environment: { DEMO: '1', CLOCK: 'manual', ENDPOINT_ALLOW: endpoint.address } });
    await world.load.stop();
    return new Desk(world, endpoint, await openEndpoint(world, endpoint.address));
  }

  /** An hour that has just begun, whenever the fault is injected: late in one, little can be sold. */
  async beginHour(): Promise<void> {
    await beginHour(callerOf(this.world, () => this.world.server.demo.operator.api_key));
  }

  async close(): Promise<void> {
    await this.world.close();
    this.endpoint.close();
  }
}

const desks = new WeakMap<FaultWorld, Promise<Desk>>();

/** The one beside a market: opened when first asked for. */
function deskOf(around: FaultWorld): Promise<Desk> {
  const known = desks.get(around);
  if (known !== undefined) return known;
  const opened = Desk.open(around);
  desks.set(around, opened);
  around.others.push(opened);
  return opened;
}

/** In a quiet world: the other market's clients would only take its time. */
export function deskFault(name: string, times: Fault['times'], run: (desk: Desk, times: number) => Promise<FaultReport>): Fault {
  return {
    name, times,
    async run(around, count) {
      await around.load.stop();
      const desk = await deskOf(around);
      try {
        await desk.beginHour();
        await sellHour(desk.world);
        const report = await run(desk, count);
        return { ...report, findings: [...report.findings, ...(await desk.world.verdict())] };
      } finally {
        for (const client of desk.clients.splice(0)) client.destroy();
        desk.endpoint.steering = undefined;
        await desk.world.load.stop();
        around.newLoad();
      }
    },
  };
}
