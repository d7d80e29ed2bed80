/**
 * Which addresses an endpoint may have. A name is checked at every connection, by the address it then
 * resolves to, so a name that changes its mind reaches nothing; literal addresses, which are not
 * looked up, are checked before. Redirects are never followed by those who use this.
 */
import { lookup as dnsLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];
/** Everything that IPv6 has handed out to the public internet. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

/** The address is not one an endpoint may have. */
export class AddressRefused extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'AddressRefused';
  }
}

type Resolve = (hostname: string, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;
const systemResolve: Resolve = (hostname, callback) => dnsLookup(hostname, { all: true }, callback);

export class AddressGuard {
  private readonly hosts = new Set<string>();
  private readonly ranges: Range[] = [];
  private readonly resolve: Resolve;

  /** @param allow `host:port` or CIDR of addresses that need not be public */
  constructor(allow: readonly string[], resolve: Resolve = systemResolve) {
    this.resolve = resolve;
    for (const entry of allow) {
      if (entry.includes('/')) this.ranges.push(ipaddr.parseCIDR(entry));
      else this.allow([entry]);
    }
  }

  /** @param entries `host:port`, added to those that need not be public */
  allow(entries: readonly string[]): void {
    for (const entry of entries) this.hosts.add(entry.toLowerCase());
  }

  /** @throws AddressRefused for a scheme, a port or a literal address that no endpoint may have */
  check(url: URL): void {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new AddressRefused('the scheme must be https or http');
    if (url.username !== '' || url.password !== '') throw new AddressRefused('the URL must not hold credentials');
    const literal = hostOf(url);
    if (ipaddr.isValid(literal) && !this.permits(literal, url)) throw new AddressRefused(`${literal} is not a public address`);
  }

  /** Resolves a name at connection time and passes on only addresses that are permitted. */
  lookupFor(url: URL): LookupFunction {
    return (hostname, options, callback) => {
      this.resolve(hostname, (error, addresses) => {
        if (error !== null) return callback(error, []);
        const permitted = addresses.filter(({ address }) => this.permits(address, url));
        if (permitted.length === 0) return callback(new AddressRefused(`${hostname} has no public address`), []);
        if (options.all === true) return callback(null, permitted);
        callback(null, permitted[0].address, permitted[0].family);
      });
    };
  }

  private permits(text: string, url: URL): boolean {
    if (this.hosts.has(`${url.hostname.toLowerCase()}:${portOf(url)}`)) return true;
    const address = ipaddr.process(text.split('%')[0]);
    if (this.ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))) return true;
    if (address.range() !== 'unicast') return false;
    return address.kind() === 'ipv4' || address.match(...GLOBAL_UNICAST);
  }
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');
const portOf = (url: URL): string => (url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80');
