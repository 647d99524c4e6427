/**
 * Challenges that need no storage until they are answered: 64 bytes, of which 32 are random, 8 say when and under which key,
 * and 24 are HMAC-SHA-256 over all of that with purpose and tenant. 64 bytes is also the most that an `eat_nonce` may hold
 * (RFC 9711 section 4.1), which is why the code is cut to 192 bits (RFC 2104 section 5 allows half, 128).
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { concat, fromBase64Url, toBase64Url, toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { UsedChallenge } from './ports.ts'

type ChallengePurpose = 'attestation'

export interface ChallengeKey {
  /** 2 bytes: names the key, so that an older one stays good while it is rotated out. */
  readonly id: Uint8Array
  /** Of 32 bytes. As a KeyObject, which Node takes as it is: of bytes it makes one each time, for more than the code costs. */
  readonly secret: KeyObject
}

export interface ChallengeContext {
  readonly purpose: ChallengePurpose
  readonly tenant: string
  readonly at: Date
}

const CHALLENGE_LIFETIME_SECONDS = 120
/** How far a replica's clock may lag behind the one that issued. */
const CLOCK_SKEW_SECONDS = 5

const RANDOM_SIZE = 32
const KEY_ID_SIZE = 2
const TIME_SIZE = 6
const SIGNED_SIZE = RANDOM_SIZE + KEY_ID_SIZE + TIME_SIZE
const CODE_SIZE = 24
const CHALLENGE_SIZE = SIGNED_SIZE + CODE_SIZE

/** `random`: 32 bytes from a CSPRNG. The result is base64url. */
export function issueChallenge(
  key: ChallengeKey,
  random: Uint8Array,
  context: ChallengeContext,
): { readonly nonce: string; readonly expiresAt: Date } {
  const time = new Uint8Array(TIME_SIZE)
  Buffer.from(time.buffer).writeUIntBE(context.at.getTime(), 0, TIME_SIZE)
  const signed = concat(random, key.id, time)
  if (signed.length !== SIGNED_SIZE) throw new RangeError('a challenge part has a wrong size')
  return {
    nonce: toBase64Url(concat(signed, codeOf(key, signed, context))),
    expiresAt: expiryOf(context.at.getTime()),
  }
}

/** Throws Problem: `challenge-unknown` for whatever this service did not issue for this purpose and tenant, `challenge-expired`. */
export function openChallenge(
  keys: readonly ChallengeKey[],
  nonce: string,
  context: ChallengeContext,
): UsedChallenge {
  const bytes = fromBase64Url(nonce)
  if (bytes?.length !== CHALLENGE_SIZE) throw unknown()
  const signed = bytes.subarray(0, SIGNED_SIZE)
  const id = signed.subarray(RANDOM_SIZE, RANDOM_SIZE + KEY_ID_SIZE)
  const key = keys.find((each) => timingSafeEqual(each.id, id))
  if (!key || !timingSafeEqual(codeOf(key, signed, context), bytes.subarray(SIGNED_SIZE)))
    throw unknown()

  const time = signed.subarray(RANDOM_SIZE + KEY_ID_SIZE)
  const issuedAt = Buffer.from(time.buffer, time.byteOffset).readUIntBE(0, TIME_SIZE)
  const expiresAt = expiryOf(issuedAt)
  const tooEarly = context.at.getTime() < issuedAt - CLOCK_SKEW_SECONDS * 1000
  if (tooEarly || expiresAt.getTime() < context.at.getTime())
    throw new Problem(
      'challenge-expired',
      `the challenge was issued at ${new Date(issuedAt).toISOString()} and is good for ${CHALLENGE_LIFETIME_SECONDS} s; it is ${context.at.toISOString()} here`,
    )
  return { id: toHex(signed.subarray(0, RANDOM_SIZE)), expiresAt }
}

function codeOf(
  { secret }: ChallengeKey,
  signed: Uint8Array,
  { purpose, tenant }: ChallengeContext,
): Uint8Array {
  const code = createHmac('sha256', secret)
    .update(`vouchsafe/challenge/v1\0${purpose}\0${tenant}\0`)
    .update(signed)
    .digest()
  return new Uint8Array(code.subarray(0, CODE_SIZE))
}

function expiryOf(issuedAt: number): Date {
  return new Date(issuedAt + CHALLENGE_LIFETIME_SECONDS * 1000)
}

function unknown(): Problem {
  return new Problem(
    'challenge-unknown',
    'runtimeClaims.nonce was not issued here for this tenant and purpose, or under a key that is gone',
  )
}
