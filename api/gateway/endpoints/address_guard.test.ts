import { describe, expect, test } from 'vitest';
import { AddressGuard, AddressRefused } from './address_guard.ts';

const guard = new AddressGuard([]);
const refuses = (url: string, allow: readonly string[] = []): boolean => {
  try {
    new AddressGuard(allow).check(new URL(url));
    return false;
  } catch (error) {
    return error instanceof AddressRefused;
  }
};
const resolved = (address: string, url: string, allow: readonly string[] = []): Promise<string> =>
  new Promise((resolve, reject) => {
    const addresses = [{ address, family: address.includes(':') ? 6 : 4 }];
    const lookup = new AddressGuard(allow, (_, callback) => callback(null, addresses)).lookupFor(new URL(url));
    lookup('name.example', { all: false }, (error, found) => (error === null ? resolve(String(found)) : reject(error)));
  });

const FORBIDDEN = [
  '127.0.0.1', '127.255.255.254', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '224.0.0.1', '255.255.255.255',
  '198.18.0.1', '192.0.2.1', '240.0.0.1', '::1', '::', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '::ffff:127.0.0.1', '::ffff:169.254.169.254',
  '64:ff9b::7f00:1', '2002:7f00:1::', '2001:0:7f00:1::', '::127.0.0.1', 'fec0::1', '2001:db8::1', '100::1',
];

describe('the address guard', () => {
  test.each(FORBIDDEN)('refuses the literal %s', (address) => {
    expect(refuses(`http://${address.includes(':') ? `[${address}]` : address}:8000/v1`)).toBe(true);
  });

  test.each(FORBIDDEN)('refuses a name that resolves to %s', async (address) => {
    await expect(resolved(address, 'http://name.example/v1')).rejects.toThrow(AddressRefused);
  });

  test.each(['http://0x7f000001/', 'http://2130706433/', 'http://127.1/', 'http://0177.0.0.1/', 'http://%31%32%37.0.0.1/', 'file:///etc/passwd', 'ftp://8.8.8.8/', 'http://user:secret@8.8.8.8/'])(
    'refuses %s',
    (url) => {
      expect(refuses(url)).toBe(true);
    },
  );

  test('lets public addresses pass', async () => {
    expect(refuses('https://8.8.8.8/v1')).toBe(false);
    expect(refuses('https://[2606:4700::1111]/v1')).toBe(false);
    await expect(resolved('93.184.216.34', 'https://name.example/v1')).resolves.toBe('93.184.216.34');
    expect(() => guard.check(new URL('https://name.example/v1'))).not.toThrow();
  });

  test('lets a listed host and port pass, and no other port', async () => {
    expect(refuses('http://127.0.0.1:9001/v1', ['127.0.0.1:9001'])).toBe(false);
    expect(refuses('http://127.0.0.1:9002/v1', ['127.0.0.1:9001'])).toBe(true);
    await expect(resolved('127.0.0.1', 'http://localhost:9001/', ['localhost:9001'])).resolves.toBe('127.0.0.1');
    await expect(resolved('127.0.0.1', 'http://localhost:9001/', ['127.0.0.1:9001'])).rejects.toThrow(AddressRefused);
  });

  test('lets a listed range pass', async () => {
    expect(refuses('http://10.1.2.3/', ['10.0.0.0/8'])).toBe(false);
    await expect(resolved('10.1.2.3', 'http://name.example/', ['10.0.0.0/8'])).resolves.toBe('10.1.2.3');
    expect(refuses('http://127.0.0.1/', ['10.0.0.0/8'])).toBe(true);
  });

  test('passes on only the permitted of several addresses', async () => {
    const mixed = new AddressGuard([], (_, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }, { address: '8.8.8.8', family: 4 }]));
    const found = await new Promise((resolve) => mixed.lookupFor(new URL('http://name.example/'))('name.example', { all: true }, (_, addresses) => resolve(addresses)));
    expect(found).toEqual([{ address: '8.8.8.8', family: 4 }]);
  });
});
