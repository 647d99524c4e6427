/** Challenges without storage: every bit of them counts, and so do purpose, tenant and time. */
import { createHmac, createSecretKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Problem } from '#src/problems.ts'
import { type ChallengeKey, issueChallenge, openChallenge } from '#src/service/challenge.ts'

const AT = new Date('2026-06-01T00:00:00.789Z')
const key: ChallengeKey = {
  id: new Uint8Array([1, 2]),
  secret: createSecretKey(Buffer.alloc(32, 3)),
}
const random = new Uint8Array(32).fill(0xab)
const context = { purpose: 'attestation', tenant: 'acme', at: AT } as const
const { nonce, expiresAt } = issueChallenge(key, random, context)

const codeOf = (...[keys, text, change]: [readonly ChallengeKey[], string, object?]) => {
  try {
    openChallenge(keys, text, { ...context, ...change })
    return 'opened'
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
}

test('its layout is written out here: random, key id, milliseconds, 24 bytes of HMAC-SHA-256', () => {
  const bytes = Buffer.from(nonce, 'base64url')
  expect(bytes.length).toBe(64)
  const signed = bytes.subarray(0, 40)
  expect(signed.toString('hex')).toBe(
    `${'ab'.repeat(32)}0102${AT.getTime().toString(16).padStart(12, '0')}`,
  )
  const code = createHmac('sha256', key.secret)
    .update('vouchsafe/challenge/v1\0attestation\0acme\0')
    .update(signed)
    .digest()
  expect(bytes.subarray(40)).toEqual(code.subarray(0, 24))
})

test('it opens to its random part and expiry', () =>
  expect(openChallenge([key], nonce, context)).toEqual({ id: 'ab'.repeat(32), expiresAt }))

test('an older key opens what it issued, while a newer one issues', () => {
  const newer = { id: new Uint8Array([9, 9]), secret: createSecretKey(Buffer.alloc(32, 9)) }
  expect(codeOf([newer, key], nonce)).toBe('opened')
  expect(codeOf([newer], nonce)).toBe('challenge-unknown')
})

describe('unknown', () => {
  test('with any single bit changed', () => {
    const bytes = Buffer.from(nonce, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(codeOf([key], changed.toString('base64url')), `bit ${bit}`).toBe('challenge-unknown')
    }
  })

  test.each([
    ['empty', ''],
    ['a byte short', Buffer.from(nonce, 'base64url').subarray(1).toString('base64url')],
    ['a byte long', `${nonce}AA`],
    ['padded', `${nonce}==`],
    ['in another spelling of the same bytes', `${nonce.slice(0, -1)}${respelled(nonce)}`],
  ])('%s', (_, text) => expect(codeOf([key], text)).toBe('challenge-unknown'))

  test('at another tenant, also where two names run together', () => {
    expect(codeOf([key], nonce, { tenant: 'acm' })).toBe('challenge-unknown')
    expect(codeOf([key], nonce, { tenant: 'acme\0' })).toBe('challenge-unknown')
  })

  test('under another secret with the same id', () =>
    expect(codeOf([{ ...key, secret: createSecretKey(Buffer.alloc(32, 4)) }], nonce)).toBe(
      'challenge-unknown',
    ))
})

test.each([
  [-5_001, 'challenge-expired'],
  [-5_000, 'opened'],
  [0, 'opened'],
  [120_000, 'opened'],
  [120_001, 'challenge-expired'],
])('%i ms after it was issued: %s', (ms, outcome) =>
  expect(codeOf([key], nonce, { at: new Date(AT.getTime() + ms) })).toBe(outcome),
)

/** The last of 86 characters carries 4 bits; the 2 that are left over can be written four ways. */
function respelled(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(text.slice(-1)) + 1] ?? ''
}
