/** Does the search for planted secrets find one in whatever form it leaked? If not, that it finds none says nothing. */
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { formsIn, marker } from './planted.ts'

const planted = marker()
const around = (bytes: string | Uint8Array) =>
  Buffer.concat([randomBytes(1001), Buffer.from(bytes), randomBytes(999)])

const secret = planted.secret()
const bytes = Buffer.from(secret)
test.each<[string, string | Uint8Array]>([
  ['as it is', secret],
  ['as a key', planted.key()],
  ['in lower case', secret.toLowerCase()],
  ['in hex', bytes.toString('hex')],
  ['in HEX', bytes.toString('hex').toUpperCase()],
  ['in an address', encodeURIComponent(secret)],
  ['in a form', new URLSearchParams({ secret }).toString()],
  ['in JSON', JSON.stringify({ secret })],
  ['as a buffer in JSON', JSON.stringify(bytes)],
  [
    'in JSON with escapes',
    JSON.stringify({ secret }).replaceAll('+', '\\u002b').replaceAll('~', '\\u007e'),
  ],
  [
    'in JSON of escapes',
    [...secret].map((each) => `\\u00${Buffer.from(each).toString('hex')}`).join(''),
  ],
  ['in UTF-16', Buffer.from(secret, 'utf16le')],
  ['in UTF-16 of the other order', Buffer.from(secret, 'utf16le').swap16()],
  ...[0, 1, 2, 3, 4, 5].flatMap((before): [string, string][] => [
    [
      `in base64, ${before} bytes in`,
      Buffer.from(`${'a'.repeat(before)}${secret}zzz`).toString('base64'),
    ],
    [
      `in base64url, ${before} bytes in`,
      Buffer.from(`${'a'.repeat(before)}${secret}z`).toString('base64url'),
    ],
  ]),
  [
    'in base64 in hex',
    Buffer.from(JSON.stringify({ secret: bytes.toString('base64') })).toString('hex'),
  ],
  [
    'in base64 in base64',
    Buffer.from(JSON.stringify({ secret: bytes.toString('base64') })).toString('base64'),
  ],
  ['cut off', secret.slice(0, 30)],
  ['without its beginning', secret.slice(20)],
])('a secret that stands somewhere %s is found', (_, form) => {
  expect(formsIn(around(form), planted.text)).not.toEqual([])
})

test.each<[string, Uint8Array]>([
  ['chance', randomBytes(100_000)],
  ['a secret of another kind', Buffer.from(marker().secret())],
  // What is packed must be unpacked by whoever searches; secrets are random, and packing does not hide what it cannot shorten.
  [
    'what was packed',
    gzipSync(Buffer.from(`${planted.text.slice(0, 8)}${planted.text.slice(0, 8)}`)),
  ],
])('nothing is found in %s', (_, other) => {
  expect(formsIn(other, planted.text)).toEqual([])
})
