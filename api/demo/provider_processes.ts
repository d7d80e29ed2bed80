/**
 * The demo's endpoints are real servers: child processes that speak OpenAI's protocol on loopback
 * ports, one for the providers of each region. They come back when they end, and end with the server.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PROVIDERS, REGIONS } from '../../db/seed/offers.ts';
import type { RegionName } from '../../db/seed/offers.ts';
import type { Config } from '../config.ts';
import type { Services } from '../services.ts';

const START_MILLIS_MAX = 15_000;
const RESTART_MILLIS = 1_000;
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
  port = 0;
  private readonly region: RegionName;
  private readonly host: string;
  private readonly log: Services['log'];
  private child: ChildProcess | undefined;
  private closing = false;
  private restart: NodeJS.Timeout | undefined;

  /** @param host on which it listens */
  constructor(region: RegionName, host: string, log: Services['log']) {
    this.region = region;
    this.host = host;
    this.log = log;
  }

  /** Listens on `port`, on any free one when that is taken or 0. */
  async start(port: number): Promise<void> {
    try {
      await this.spawn(port);
    } catch (error) {
      if (port === 0 || this.closing) throw error;
      await this.spawn(0);
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.restart);
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MILLIS_MAX);
    await ended;
    clearTimeout(timer);
  }

  private async spawn(port: number): Promise<void> {
    // Nothing of the server's environment: a provider is somebody else's machine.
    const environment = { PATH: process.env.PATH, HOST: this.host, PORT: String(port) };
    // Detached: a Ctrl-C at the terminal reaches the server alone, which ends its providers last. Without it their stdin ends.
    const child = spawn(process.execPath, ['--enable-source-maps', programFile()], { stdio: ['pipe', 'pipe', 'inherit'], env: environment, detached: true });
    this.child = child;
    this.port = await listeningPort(child, this.region);
    child.once('exit', () => this.ended());
  }

  private ended(): void {
    if (this.closing) return;
    this.log.warn({ region: this.region }, 'a demo provider ended; it is started again');
    this.restart = setTimeout(() => {
      this.spawn(this.port).catch((error: unknown) => {
        this.log.error({ err: error, region: this.region }, 'a demo provider does not start');
        this.ended();
      });
    }, RESTART_MILLIS);
  }
}

function listeningPort(child: ChildProcess, region: RegionName): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`the demo providers of ${region} ${why}`));
    };
    const timer = setTimeout(() => fail('do not listen'), START_MILLIS_MAX);
    child.once('error', (error) => fail(`cannot be started: ${error.message}`));
    child.once('exit', (code) => fail(`ended with ${code}`));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-1_000);
      const match = LISTENING.exec(said);
      if (match === null) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      resolve(Number(match[1]));
    });
  });
}
