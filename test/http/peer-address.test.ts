import { expect, test } from 'vitest'
import { peerAddress } from '#src/http/peer-address.ts'

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['2001:db8::1', '2001:db8::1'],
  ['::1', '::1'],
  ['::ffff:0:1', '::ffff:0:1'],
  [undefined, ''],
])('the peer %s is told as %s', (remote, told) => expect(peerAddress(remote)).toBe(told))
