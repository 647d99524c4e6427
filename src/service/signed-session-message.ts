/**
 * Did the holder of the session's key say this, to this very address? Heartbeats and requests for tokens are compact JWS that
 * name no key: it is the one that the session was opened with. Nothing is believed before.
 */
import type { KeyObject } from 'node:crypto'
import type { z } from 'zod'
import { Problem } from '../problems.ts'
import { thumbprintOf } from '../rats/public-key.ts'
import { recentValues } from '../recent-values.ts'
import { decodeCompactJws, isSignedByEs256 } from '../token/compact-jws.ts'
import { publicKeyOf } from './public-key.ts'
import type { SessionRecord } from './session-ports.ts'

export interface ExpectedMessage<S extends z.ZodType> {
  /** Of the header. */
  readonly typ: string
  readonly schema: S
  /** Public address of the route. */
  readonly htu: string
}

interface AnyMessage {
  readonly htu: string
}

/** Reading a key costs as much as half a signature, and every agent sends one every few seconds: some 20 MB. */
const MOST_KEYS = 16_384
const keys = recentValues<KeyObject>(MOST_KEYS, () => 1)

const MOST_ISSUES_TOLD = 3

/** Throws Problem('session-message-refused') that says which part is wrong. */
export function openSessionMessage<S extends z.ZodType<AnyMessage>>(
  body: Uint8Array,
  session: Pick<SessionRecord, 'jwk' | 'jkt'>,
  { typ, schema, htu }: ExpectedMessage<S>,
): z.output<S> {
  const jws = decodeCompactJws(
    Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'),
  )
  const key = keyOf(session)
  // Whatever the header says, this key signed with ES256 or the message is none.
  if (!jws || !key || !isSignedByEs256(jws, key))
    throw refused('it is no compact JWS that the session’s key signed with ES256')
  if (!isHeader(jws.header, typ))
    throw refused(`its header must be exactly {"alg":"ES256","typ":"${typ}"}`)
  const parsed = schema.safeParse(jws.payload)
  if (!parsed.success) throw refused(`its payload: ${issuesText(parsed.error.issues)}`)
  if (parsed.data.htu !== htu) throw refused(`its htu is not that of this request, which is ${htu}`)
  return parsed.data
}

/** Strict on purpose: a header that says more (`crit`, `jwk`, `b64`) means more than is checked here. */
function isHeader(header: unknown, typ: string): boolean {
  return (
    typeof header === 'object' &&
    header !== null &&
    Object.keys(header).length === 2 &&
    'alg' in header &&
    header.alg === 'ES256' &&
    'typ' in header &&
    header.typ === typ
  )
}

/** Whoever writes to the database could put a key of his own beside the name of the attested one. */
function keyOf({ jwk, jkt }: Pick<SessionRecord, 'jwk' | 'jkt'>): KeyObject | undefined {
  const known = keys.get(jkt)
  if (known) return known
  const key = thumbprintOf(jwk) === jkt ? publicKeyOf(jwk) : undefined
  if (key) keys.put(jkt, key)
  return key
}

/** Paths and rules, never what was sent. */
function issuesText(issues: readonly z.core.$ZodIssue[]): string {
  return issues
    .slice(0, MOST_ISSUES_TOLD)
    .map(({ path, message, code }) => {
      const place = path.map(String).join('.') || 'the whole'
      return code === 'unrecognized_keys' ? `${place}: has unknown fields` : `${place}: ${message}`
    })
    .join('; ')
}

function refused(reason: string): Problem {
  return new Problem('session-message-refused', `the message does not count: ${reason}`)
}
