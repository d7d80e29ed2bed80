/** A wire between a server and its Postgres or its Redis that can be made to fail in every way a wire does. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export type WireMode =
  /** All passes. */
  | 'open'
  /** Bytes wait, in both directions, and pass when it is open again. */
  | 'hanging'
  /** Bytes vanish; neither side hears anything, also not when it is open again. */
  | 'silent'
  /** Every connection is reset, new ones too. */
  | 'resetting';

interface Wire {
  near: Socket;
  far: Socket;
  /** Once bytes have vanished the connection is of no use any more. */
  dead: boolean;
}

export class TcpProxy {
  private readonly target: () => { host: string; port: number };
  private readonly server: Server;
  private readonly wires = new Set<Wire>();
  private mode: WireMode = 'open';
  /** Milliseconds that everything takes longer, each way. */
  delayMillis = 0;
  /** What is looked for on the way to the server; empty: nothing is. */
  private cutAfter = '';
  cuts = 0;

  private constructor(target: () => { host: string; port: number }) {
    this.target = target;
    this.server = createServer((near) => this.join(near));
  }

  /** @param targetUrl where the other end is at present */
  static async open(targetUrl: () => string): Promise<TcpProxy> {
    const proxy = new TcpProxy(() => {
      const { hostname, port } = new URL(targetUrl());
      return { host: hostname, port: Number(port) };
    });
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The same URL, through this wire. */
  urlOf(targetUrl: string): string {
    const url = new URL(targetUrl);
    url.hostname = '127.0.0.1';
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  set(mode: WireMode): void {
    this.mode = mode;
    for (const wire of this.wires) {
      if (mode === 'resetting') this.cut(wire);
      if (mode === 'silent') wire.dead = true;
      for (const socket of [wire.near, wire.far]) if (mode === 'hanging') socket.pause(); else socket.resume();
    }
  }

  /** The next bytes to the server that contain this text arrive there; their answer never returns. */
  cutNextAfter(text: string): void {
    this.cutAfter = text;
  }

  async close(): Promise<void> {
    for (const wire of this.wires) this.cut(wire);
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(near: Socket): void {
    if (this.mode === 'resetting') return void near.resetAndDestroy();
    const wire: Wire = { near, far: connect(this.target()), dead: this.mode === 'silent' };
    this.wires.add(wire);
    for (const socket of [near, wire.far]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.cut(wire));
      socket.on('close', () => this.end(wire));
      if (this.mode === 'hanging') socket.pause();
    }
    near.on('data', (bytes: Buffer) => this.pass(wire, bytes, wire.far));
    wire.far.on('data', (bytes: Buffer) => this.pass(wire, bytes, near));
  }

  private pass(wire: Wire, bytes: Buffer, to: Socket): void {
    if (wire.dead) return;
    if (this.delayMillis > 0) setTimeout(() => to.write(bytes), this.delayMillis);
    else to.write(bytes);
    if (to !== wire.far || this.cutAfter === '' || !bytes.includes(this.cutAfter)) return;
    this.cutAfter = '';
    this.cuts++;
    // The server has it all and will commit; what it answers finds nobody.
    wire.dead = true;
    wire.near.resetAndDestroy();
    wire.far.end();
  }

  private cut(wire: Wire): void {
    for (const socket of [wire.near, wire.far]) if (!socket.destroyed) socket.resetAndDestroy();
    this.wires.delete(wire);
  }

  /** One end has gone: a dead wire does not tell the other. */
  private end(wire: Wire): void {
    if (wire.dead && (!wire.near.destroyed || !wire.far.destroyed)) return;
    wire.near.end();
    wire.far.end();
    this.wires.delete(wire);
  }
}
