/** For whom is a request counted? */
import { expect, test } from 'vitest'
import { callerNames } from '#src/http/guard/caller.ts'

const proxies = ['10.0.0.0/8', '2001:db8:aa::/48', '192.0.2.9']

test.each<[string, string | undefined, string | null, string]>([
  ['a peer is itself', '203.0.113.9', null, '203.0.113.9'],
  ['a mapped peer is its IPv4 address', '::ffff:203.0.113.9', null, '203.0.113.9'],
  ['a peer that is gone has no name', undefined, null, ''],
  ['a stranger’s header is not read', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
  ['a proxy’s is', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['a proxy without a header is itself', '10.1.2.3', null, '10.1.2.3'],
  ['an empty header names nobody', '10.1.2.3', '', '10.1.2.3'],
  [
    'what stands left of a stranger is his word',
    '10.1.2.3',
    '1.1.1.1, 198.51.100.1',
    '198.51.100.1',
  ],
  ['proxies in a row are passed', '10.1.2.3', '198.51.100.1, 10.9.9.9, 192.0.2.9', '198.51.100.1'],
  ['a row of proxies alone ends at the farthest', '10.1.2.3', '10.7.7.7, 10.9.9.9', '10.7.7.7'],
  ['no address ends the search', '10.1.2.3', '198.51.100.1, unknown', '10.1.2.3'],
  ['no address left of a proxy neither', '10.1.2.3', 'unknown, 10.9.9.9', '10.9.9.9'],
  ['a port is left out', '10.1.2.3', '198.51.100.1:4711', '198.51.100.1'],
  ['a port after brackets too', '10.1.2.3', '[2001:db8:1:2:3::4]:4711', '2001:db8:1:2::/64'],
  ['a mapped proxy is a proxy', '::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['an IPv6 proxy is a proxy', '2001:db8:aa::1', '198.51.100.1', '198.51.100.1'],
  ['IPv6 counts by /64', '2001:db8:1:2:3:4:5:6', null, '2001:db8:1:2::/64'],
  ['however it is written', '2001:db8:1:2::9', null, '2001:db8:1:2::/64'],
  ['with its zeros left out', '2001:db8::9', null, '2001:db8:0:0::/64'],
  ['a short one', '::1', null, '0:0:0:0::/64'],
  ['one with an IPv4 tail', '64:ff9b::198.51.100.1', null, '64:ff9b:0:0::/64'],
  ['one with a zone', 'fe80::1%eth0', null, 'fe80:0:0:0::/64'],
  ['one with a zone that brings a header', 'fe80::1%eth0', '1.1.1.1', 'fe80:0:0:0::/64'],
  ['capitals and zeros in front are left out', '10.1.2.3', '2001:0DB8::A', '2001:db8:0:0::/64'],
  ['a mapped caller is its IPv4 address', '10.1.2.3', '::ffff:198.51.100.1', '198.51.100.1'],
  ['in hexadecimal too', '10.1.2.3', '::FFFF:c633:6401', '198.51.100.1'],
  ['and in full', '10.1.2.3', '0:0:0:0:0:ffff:c633:6401', '198.51.100.1'],
  ['a mapped proxy in a header is passed', '10.1.2.3', '1.2.3.4, ::ffff:a09:909', '1.2.3.4'],
  ['brackets without a port are left out', '10.1.2.3', '[2001:db8::1]', '2001:db8:0:0::/64'],
  ['spaces and tabs are left out', '10.1.2.3', ' 1.1.1.1 ,\t198.51.100.1\t ', '198.51.100.1'],
  ['an octet in octal is no address', '10.1.2.3', '198.51.100.1, 010.9.9.9', '10.1.2.3'],
  ['an empty entry left of him changes nothing', '10.1.2.3', ', 198.51.100.1', '198.51.100.1'],
])('%s', (_, peer, header, caller) =>
  expect(callerNames(proxies).callerOf(peer, header)).toBe(caller),
)

test('no proxy is trusted unless it is named', () =>
  expect(callerNames([]).callerOf('127.0.0.1', '198.51.100.1')).toBe('127.0.0.1'))

test.each([15, 16, 17, 999, 1000, 1001, 8000])(
  'what a sender writes before himself, %i entries, hides him behind nobody',
  (entries) => {
    const { callerOf } = callerNames(proxies)
    for (const forged of ['1', '10.9.9.9', ' ', '192.0.2.77', '2001:db8:77::1'])
      expect(
        callerOf('10.1.2.3', `${`${forged},`.repeat(entries)}198.51.100.77, 203.0.113.9`),
      ).toBe('203.0.113.9')
  },
)

test('a header of 16 KiB ends after as many hops as any deployment has', () => {
  const header = `198.51.100.1,${Array(1200).fill('10.9.9.9').join(',')}`
  expect(callerNames(proxies).callerOf('10.1.2.3', header)).toBe('10.9.9.9')
})
