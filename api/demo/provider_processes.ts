/**
 * The demo's endpoints are real servers: child processes that speak OpenAI's protocol on loopback
 * ports, one for the providers of each region. They come back when they end, and end with the server.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PROVIDERS, REGIONS } from '../../db/seed/offers.ts';
import type { RegionName } from '../../db/seed/offers.ts';
import { KeptProcess } from '../kept_process.ts';
import type { Config } from '../config.ts';
import type { Services } from '../services.ts';

const START_MILLIS_MAX = 15_000;
const STOP_MILLIS_MAX = 3_000;
const LISTENING = /listening on http:\/\/[^ ]+:([0-9]+)/;

/** Regions to ports, kept so that endpoints stay where they were registered; and the host, for the processes that reach them. */
const fileSchema = z.object({ host: z.string(), ports: z.partialRecord(z.enum(REGIONS), z.int().min(1).max(65_535)) });
type ProvidersFile = z.infer<typeof fileSchema>;
const LOOPBACK = '127.0.0.1';
const fileOf = (dataDir: string): string => join(dataDir, 'demo_providers.json');

export interface DemoProviders {
  /** `host:port` of every process, for the list of addresses that endpoints may use. */
  addresses: readonly string[];
  /** By provider id of the offers. */
  endpointUrl(provider: string): string;
  close(): Promise<void>;
}

/**
 * With roles, and where the server itself listens on more than loopback, other machines must reach them too.
 * @throws Error when a process does not listen within 15 s
 */
export async function startDemoProviders(config: Pick<Config, 'dataDir' | 'single' | 'host'>, log: Services['log']): Promise<DemoProviders> {
  const known = (await readFileOf(config.dataDir))?.ports ?? {};
  const isShared = !config.single && config.host !== LOOPBACK;
  const host = isShared ? hostname() : LOOPBACK;
  const processes = new Map(REGIONS.map((region) => [region, new ProviderProcess(region, isShared ? config.host : LOOPBACK, log)]));
  try {
    await Promise.all([...processes].map(([region, process]) => process.start(known[region] ?? 0)));
  } catch (error) {
    await Promise.all([...processes.values()].map((process) => process.close()));
    throw error;
  }
  await mkdir(config.dataDir, { recursive: true });
  const file: ProvidersFile = { host, ports: Object.fromEntries([...processes].map(([region, { port }]) => [region, port])) };
  await writeFile(fileOf(config.dataDir), JSON.stringify(file));
  const regionOf = new Map(PROVIDERS.map(({ provider, region }) => [provider, region]));
  return {
    addresses: addressesOf(file),
    endpointUrl(provider) {
      const process = processes.get(regionOf.get(provider) as RegionName);
      if (process === undefined) throw new Error(`no provider ${provider}`);
      return `http://${host}:${process.port}/${provider}/v1`;
    },
    close: async () => {
      await Promise.all([...processes.values()].map((process) => process.close()));
    },
  };
}

/** `host:port` of the providers that were started last with this data folder, whichever process did. */
export async function readDemoAddresses(dataDir: string): Promise<string[]> {
  const file = await readFileOf(dataDir);
  return file === undefined ? [] : addressesOf(file);
}

const addressesOf = ({ host, ports }: ProvidersFile): string[] => Object.values(ports).map((port) => `${host}:${port}`);

async function readFileOf(dataDir: string): Promise<ProvidersFile | undefined> {
  try {
    return fileSchema.safeParse(JSON.parse(await readFile(fileOf(dataDir), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** The bundle beside the server's, or that of the checkout when the source runs. */
function programFile(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const candidates = [join(here, 'demo_provider.js'), join(here, '../../dist/demo_provider.js')];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) throw new Error('the demo provider is not built: run `npm run build`');
  return found;
}

class ProviderProcess {
  private readonly kept: (port: number) => KeptProcess;
  private process: KeptProcess | undefined;

  /** @param host on which it listens */
  constructor(region: RegionName, host: string, log: Services['log']) {
    this.kept = (first) => {
      const kept: KeptProcess = new KeptProcess({
        name: `the demo's process of the providers of ${region}`, command: process.execPath, args: ['--enable-source-maps', programFile()],
        // Nothing of the server's environment: a provider is somebody else's machine. Once it listens it stays where it is.
        environment: () => ({ PATH: process.env.PATH, HOST: host, PORT: kept.place === '' ? String(first) : kept.place }),
        readyLine: LISTENING, startMillisMax: START_MILLIS_MAX, stopMillisMax: STOP_MILLIS_MAX, restarts: true, holdsInput: true,
        say: (line) => log[LISTENING.test(line) ? 'debug' : 'warn']({ region, line }, 'a demo provider says'),
      });
      return kept;
    };
  }

  get port(): number {
    return Number(this.process?.place);
  }

  /** Listens on `port`, on any free one when that is taken or 0. */
  async start(port: number): Promise<void> {
    try {
      this.process = this.kept(port);
      await this.process.start();
    } catch (error) {
      if (port === 0) throw error;
      await this.start(0);
    }
  }

  async close(): Promise<void> {
    await this.process?.stop();
  }
}
